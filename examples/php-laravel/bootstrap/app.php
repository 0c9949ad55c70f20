<?php

// Debian's Laravel brings an autoloader. With Composer, this is: require __DIR__.'/../vendor/autoload.php';
require_once '/usr/share/php/Illuminate/autoload.php';
spl_autoload_register(function (string $class) {
    if (str_starts_with($class, 'App\\')) {
        require dirname(__DIR__).'/app/'.substr($class, 4).'.php';
    }
});

$app = new Illuminate\Foundation\Application(dirname(__DIR__));
$app->singleton(Illuminate\Contracts\Http\Kernel::class, Illuminate\Foundation\Http\Kernel::class);
$app->singleton(Illuminate\Contracts\Console\Kernel::class, Illuminate\Foundation\Console\Kernel::class);
$app->singleton(Illuminate\Contracts\Debug\ExceptionHandler::class, Illuminate\Foundation\Exceptions\Handler::class);

return $app;
