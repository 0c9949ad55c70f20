<?php

namespace App;

use Illuminate\Foundation\Support\Providers\RouteServiceProvider;
use Illuminate\Support\Facades\Route;

class Routes extends RouteServiceProvider
{
    public function map(): void
    {
        Route::get('/', [Guests::class, 'index']);
        Route::post('/guests/{name}', [Guests::class, 'invite']);
    }
}
