// `drizzle-kit migrate`: drizzle-orm's own migrator, which drizzle-kit calls too.
//
//   node drizzle.mjs TOOLS URL FOLDER
import { createRequire } from "node:module";
import path from "node:path";

const [tools, url, migrationsFolder] = process.argv.slice(2);
const require = createRequire(path.join(tools, "package.json"));

async function migrate() {
  if (url.startsWith("postgres")) {
    const { Client } = require("pg");
    const client = new Client({ connectionString: url });
    await client.connect();
    const db = require("drizzle-orm/node-postgres").drizzle(client);
    await require("drizzle-orm/node-postgres/migrator").migrate(db, { migrationsFolder });
  } else if (url.startsWith("sqlite")) {
    const client = require("@libsql/client").createClient({ url: url.replace(/^sqlite:\/\//, "file:") });
    const db = require("drizzle-orm/libsql").drizzle(client);
    await require("drizzle-orm/libsql/migrator").migrate(db, { migrationsFolder });
  } else {
    // Like a URL with `?multipleStatements=true`: whatever a driver accepts is compared.
    const client = await require("mysql2/promise").createConnection({ uri: url, multipleStatements: true });
    const db = require("drizzle-orm/mysql2").drizzle(client);
    await require("drizzle-orm/mysql2/migrator").migrate(db, { migrationsFolder });
  }
}

try {
  await migrate();
  console.log("done");
  process.exit(0);
} catch (error) {
  console.log(`failed: ${error.message} ${error.cause ?? ""}`);
  process.exit(1);
}
