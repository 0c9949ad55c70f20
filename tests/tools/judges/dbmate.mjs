// `dbmate migrate`.
//
//   node dbmate.mjs TOOLS URL FOLDER
import { spawnSync } from "node:child_process";
import path from "node:path";

const [tools, url, folder] = process.argv.slice(2);
const program = path.join(tools, "node_modules/@dbmate/linux-x64/bin/dbmate");
const address = url.startsWith("postgres") ? `${url}?sslmode=disable` : url;
const run = spawnSync(program, ["--url", address, "-d", folder, "--no-dump-schema", "migrate"], { encoding: "utf8" });
console.log(run.status === 0 && !run.stdout.includes("Applying") ? "done" : run.stdout + run.stderr);
process.exit(run.status === 0 ? 0 : 1);
