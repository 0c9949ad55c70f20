// Serves the guests that the migrations made.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/lib/pq"
)

type guest struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	if len(os.Args) > 1 && os.Args[1] == "health" {
		os.Exit(health(port))
	}
	database, err := sql.Open("postgres", os.Getenv("DATABASE_URL"))
	if err != nil {
		fail(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		found, err := guests(r.Context(), database)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			http.Error(w, "no guests", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(found)
	})
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	server := &http.Server{Addr: ":" + port}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			fail(err)
		}
	}()
	fmt.Println("listening on port " + port)
	<-stop.Done()
	server.Shutdown(context.Background())
	database.Close()
}

func guests(ctx context.Context, database *sql.DB) ([]guest, error) {
	rows, err := database.QueryContext(ctx, "SELECT id, name FROM guests ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []guest
	for rows.Next() {
		var one guest
		if err := rows.Scan(&one.ID, &one.Name); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

func health(port string) int {
	response, err := http.Get("http://127.0.0.1:" + port + "/")
	if err != nil || response.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
