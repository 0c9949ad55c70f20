// Serves the guests that the migrations made.
import { createServer } from "node:http";
import pg from "pg";

const db = new pg.Pool({ connectionString: process.env.DATABASE_URL });

const server = createServer((request, response) => {
  db.query("SELECT id, name FROM guests ORDER BY id").then(
    ({ rows }) => {
      response.setHeader("content-type", "application/json");
      response.end(`${JSON.stringify(rows)}\n`);
    },
    (error) => {
      console.error(error.message);
      response.writeHead(500).end();
    },
  );
});
server.listen(Number(process.env.PORT ?? 8080), () => {
  console.log(`listening on port ${server.address().port}`);
});

process.on("SIGTERM", () => {
  server.close(() => db.end().then(() => process.exit(0)));
  server.closeAllConnections();
});
