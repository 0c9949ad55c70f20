// `prisma migrate deploy`: Prisma's own schema engine on one of Prisma's own driver adapters.
//
//   node prisma.mjs TOOLS URL FOLDER
//
// The CLI downloads the engine as a program; npm has the same engine as WebAssembly. Its adapters split
// a script at every semicolon or can't run one at all: here a script goes to the server as the program
// sends it, whole.
import { createRequire } from "node:module";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

const [tools, url, folder] = process.argv.slice(2);
const require = createRequire(path.join(tools, "package.json"));
const { bindMigrationAwareSqlAdapterFactory } = require("@prisma/driver-adapter-utils");
globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (said) => console.log(`panic: ${said}`) };
const pkg = path.join(tools, "node_modules/@prisma/schema-engine-wasm");
const engine = await import(path.join(pkg, "schema_engine_bg.js"));
const wasm = await WebAssembly.instantiate(readFileSync(path.join(pkg, "schema_engine_bg.wasm")), {
  "./schema_engine_bg.js": engine,
});
engine.__wbg_set_wasm(wasm.instance.exports);
wasm.instance.exports.__wbindgen_start();

// Each gives a factory and how a whole script is sent.
function database() {
  const parsed = new URL(url.replace(/^sqlite:\/\//, "file://"));
  if (url.startsWith("postgres")) {
    const { PrismaPg } = require("@prisma/adapter-pg");
    const schema = parsed.searchParams.get("schema") ?? "public";
    parsed.search = "";
    const config = { connectionString: parsed.href, max: 1, options: `-c search_path=${schema}` };
    return ["postgresql", new PrismaPg(config, { schema }), (it, script) => it.client.query(script)];
  }
  if (url.startsWith("sqlite")) {
    const { PrismaLibSql } = require("@prisma/adapter-libsql");
    const send = (it, script) => it.client.executeMultiple(script);
    return ["sqlite", new PrismaLibSql({ url: parsed.href }, { timestampFormat: "unixepoch-ms" }), send];
  }
  throw new Error(`the engine as WebAssembly has no MySQL: ${url}`);
}

const [provider, factory, send] = database();
const connect = factory.connect.bind(factory);
factory.connect = async () => {
  const adapter = await connect();
  const refuse = adapter.onError?.bind(adapter);
  adapter.executeScript = async (script) => {
    try {
      await send(adapter, script);
    } catch (error) {
      refuse ? refuse(error) : (() => { throw error; })();
    }
  };
  return adapter;
};

const migrationDirectories = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => ({
    path: entry.name,
    migrationFile: {
      path: "migration.sql",
      content: { tag: "ok", value: readFileSync(path.join(folder, entry.name, "migration.sql"), "utf8") },
    },
  }))
  .sort((one, other) => one.path.localeCompare(other.path));
const lockfile = { path: "migration_lock.toml", content: readFileSync(path.join(folder, "migration_lock.toml"), "utf8") };
const schema = `datasource db { provider = "${provider}" }`;

const bound = bindMigrationAwareSqlAdapterFactory(factory);
try {
  const it = await engine.SchemaEngine.new({ datamodels: [["schema.prisma", schema]] }, () => {}, bound);
  const { appliedMigrationNames } = await it.applyMigrations({
    migrationsList: { baseDir: folder, lockfile, shadowDbInitScript: "", migrationDirectories },
    filters: { externalTables: [], externalEnums: [] },
  });
  console.log(`applied: ${appliedMigrationNames.join(" ")}`);
  process.exit(0);
} catch (error) {
  console.log(`failed: ${error.message ?? error} ${JSON.stringify(error)}`);
  process.exit(1);
}
