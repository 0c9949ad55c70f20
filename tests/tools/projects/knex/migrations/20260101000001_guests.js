exports.up = async (knex) => {
  await knex.schema.createTable("guests", (table) => {
    table.increments("id");
    table.text("name").notNullable();
  });
  await knex("guests").insert([{ name: "Ada" }, { name: "Grace" }]);
};

exports.down = (knex) => knex.schema.dropTable("guests");
