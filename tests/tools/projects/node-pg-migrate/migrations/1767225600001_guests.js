exports.up = (pgm) => {
  pgm.createTable("guests", { id: "id", name: { type: "text", notNull: true } });
  pgm.sql("INSERT INTO guests (name) VALUES ('Ada'), ('Grace')");
};
