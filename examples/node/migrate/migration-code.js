// Migrates data/store.json to the schema that the server needs. A plain file stands in for the
// database here, so that the example needs only Node.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const file = path.join(process.env.DATA_DIR ?? 'data', 'store.json');

// Migration n takes schema n - 1 to schema n.
const migrations = [
  (store) => ({ ...store, visitors: [{ name: 'Ada Lovelace' }, { name: 'Grace Hopper' }] }),
  (store) => ({
    ...store,
    visitors: store.visitors.map(({ name }) => {
      const [first, last] = name.split(' ');
      return { first, last };
    }),
  }),
];

let store = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : { schema: 0 };
for (const migrate of migrations.slice(store.schema)) {
  store = { ...migrate(store), schema: store.schema + 1 };
  // Renaming is atomic: whenever this is stopped, the file holds the old schema or the new one.
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(`${file}.new`, JSON.stringify(store));
  fs.renameSync(`${file}.new`, file);
  console.log(`migrated to schema ${store.schema}`);
}
console.log(`schema is ${store.schema}`);
