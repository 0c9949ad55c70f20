port ENV.fetch("PORT", 8080)
threads 1, 2
raise_exception_on_sigterm false # or it ends with 143, like one that was killed
