-- AlterTable
ALTER TABLE "guests" ADD COLUMN "seat" INTEGER;

UPDATE "guests" SET "seat" = 10 + "id";
