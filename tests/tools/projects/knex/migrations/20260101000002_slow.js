exports.up = async (knex) => {
  await knex.raw("INSERT INTO guests (name) SELECT 'Guest ' || nextval('executions')");
  await knex.raw("SELECT pg_sleep(2)");
};

exports.down = async () => {};
