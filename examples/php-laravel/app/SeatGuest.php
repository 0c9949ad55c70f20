<?php

namespace App;

use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Support\Facades\DB;

/** Gives a guest the next seat. */
class SeatGuest implements ShouldQueue
{
    use Dispatchable, Queueable;

    public function __construct(public string $name)
    {
    }

    public function handle(): void
    {
        DB::table('guests')->insert(['name' => $this->name, 'seat' => 1 + DB::table('guests')->max('seat')]);
    }
}
