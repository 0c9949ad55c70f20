exports.up = (pgm) => {
  pgm.addColumn("guests", { seat: "integer" });
  pgm.sql("UPDATE guests SET seat = id + 10");
};
