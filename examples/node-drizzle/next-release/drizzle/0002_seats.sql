ALTER TABLE "guests" ADD COLUMN "seat" integer;--> statement-breakpoint
UPDATE "guests" SET "seat" = 10 + "id";
