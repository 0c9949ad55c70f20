<?php

namespace App;

use Illuminate\Support\Facades\DB;

class Guests
{
    public function index()
    {
        return DB::table('guests')->orderBy('seat')->get(['name', 'seat']);
    }

    public function invite(string $name)
    {
        SeatGuest::dispatch($name);

        return response('', 202);
    }
}
