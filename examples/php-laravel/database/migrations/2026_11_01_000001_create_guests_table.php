<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Schema;

return new class extends Migration
{
    public function up(): void
    {
        Schema::create('guests', function (Blueprint $table) {
            $table->id();
            $table->string('name');
            $table->integer('seat');
        });
        DB::table('guests')->insert([
            ['name' => 'Ada Lovelace', 'seat' => 11],
            ['name' => 'Grace Hopper', 'seat' => 12],
        ]);
    }
};
