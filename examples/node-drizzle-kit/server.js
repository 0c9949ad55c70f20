// Serves the guests that the migrations made.
import { createServer } from "node:http";
import { asc } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { guests } from "./schema.js";

const db = drizzle(process.env.DATABASE_URL);

const server = createServer((request, response) => {
  db.select().from(guests).orderBy(asc(guests.id)).then(
    (rows) => {
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
  server.close(() => db.$client.end().then(() => process.exit(0)));
  server.closeAllConnections();
});
