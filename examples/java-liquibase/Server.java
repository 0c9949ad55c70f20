import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.sql.DriverManager;

/** Serves the guests, with Spring's variables for its database. */
class Server {
    static String guests() throws Exception {
        try (var database = DriverManager.getConnection(
                System.getenv("SPRING_DATASOURCE_URL"),
                System.getenv("SPRING_DATASOURCE_USERNAME"),
                System.getenv("SPRING_DATASOURCE_PASSWORD"))) {
            var rows = database.createStatement().executeQuery(
                    "SELECT json_agg(json_build_object('name', name, 'seat', seat) ORDER BY seat) FROM guests");
            rows.next();
            return rows.getString(1) + "\n";
        }
    }

    public static void main(String[] arguments) throws Exception {
        var port = Integer.parseInt(System.getenv().getOrDefault("PORT", "8080"));
        var server = HttpServer.create(new InetSocketAddress(port), 0);
        server.createContext("/", exchange -> {
            try (exchange) {
                var body = guests().getBytes();
                exchange.sendResponseHeaders(200, body.length);
                exchange.getResponseBody().write(body);
            } catch (Exception error) {
                error.printStackTrace();
            }
        });
        server.start();
        System.out.println("listening on port " + port);
    }
}
