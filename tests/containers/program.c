/* The server and the migrations of the image FROM scratch; program.sh is its twin for the
 * image with a shell. Static, so that the image holds nothing else.
 *
 *   program migrate   writes /data/schema
 *   program fail      ends with exit code 3
 *   program slow      is half way when it is asked to stop, and takes a while to roll back
 *   program serve     says who it is, and ends with exit code 7 when it is asked to stop
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void ask(int number) { asked = number; }

static void write_schema(const char *state) {
    int fd = open("/data/schema", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0) {
        if (write(fd, state, strlen(state)) < 0)
            perror("/data/schema");
        close(fd);
    }
}

static void wait_until_asked(void) {
    sigset_t none;
    sigemptyset(&none);
    while (!asked)
        sigsuspend(&none);
}

static int migrate_slowly(void) {
    write_schema("half");
    puts("half way");
    wait_until_asked();
    sleep(1); /* what a rollback costs: whoever does not wait for it leaves "half" behind */
    write_schema("rolled back");
    puts("rolled back");
    return 1;
}

static void read_line(const char *path, char *line, size_t size) {
    int fd = open(path, O_RDONLY);
    ssize_t len = fd < 0 ? 0 : read(fd, line, size - 1);
    if (fd >= 0)
        close(fd);
    len = len < 0 ? 0 : len;
    for (ssize_t i = 0; i + 1 < len; i++)
        if (line[i] == '\0')
            line[i] = ' ';
    line[len] = '\0';
}

static int serve(void) {
    char command[256], children[256];
    read_line("/proc/1/cmdline", command, sizeof command);
    read_line("/proc/1/task/1/children", children, sizeof children);
    printf("serving pid=%d command=[%s] children=[%s]\n", (int)getpid(), command, children);
    wait_until_asked();
    puts("served");
    return 7;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    struct sigaction action = {.sa_handler = ask};
    sigset_t term;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL); /* but where it waits */
    sigaction(SIGTERM, &action, NULL);
    if (strcmp(mode, "migrate") == 0) {
        write_schema("1");
        puts("migrated");
        return 0;
    }
    if (strcmp(mode, "fail") == 0) {
        puts("this migration fails");
        return 3;
    }
    if (strcmp(mode, "slow") == 0)
        return migrate_slowly();
    if (strcmp(mode, "serve") == 0)
        return serve();
    return 64;
}
