--liquibase formatted sql

--changeset app:guests
CREATE TABLE guests (name text NOT NULL);

--changeset app:seats
ALTER TABLE guests ADD seat integer;
INSERT INTO guests (name, seat) VALUES ('Ada Lovelace', 11), ('Grace Hopper', 12);
