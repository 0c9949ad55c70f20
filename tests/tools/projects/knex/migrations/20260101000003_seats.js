exports.up = async (knex) => {
  await knex.schema.alterTable("guests", (table) => table.integer("seat"));
  await knex.raw("UPDATE guests SET seat = id + 10");
};

exports.down = (knex) => knex.schema.alterTable("guests", (table) => table.dropColumn("seat"));
