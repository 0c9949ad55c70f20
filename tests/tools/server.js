// Serves the guests with their seats. Like many a server it starts, too, where it can't.

const fs = require("node:fs");
const http = require("node:http");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 1 });
pool.on("error", () => {}); // an idle connection that the database closed

async function guests() {
  const found = await pool.query({ text: "SELECT name, seat FROM guests ORDER BY id", rowMode: "array" });
  return found.rows;
}

const server = http.createServer(async (_request, response) => {
  try {
    response.end(JSON.stringify(await guests()));
  } catch (error) {
    response.writeHead(500).end(error.message);
  }
});

const UNDEFINED = { "42P01": "unmigrated", 42703: "half-migrated" };
guests()
  .then(() => "migrated", (error) => UNDEFINED[error.code] ?? Promise.reject(error))
  .then((schema) =>
    server.listen(0, "127.0.0.1", () =>
      fs.appendFileSync(process.env.EVIDENCE, `server ${process.pid} ${server.address().port} ${schema}\n`)));
