/*
 * simulate: the messages of a training step, as `colrow study scaling` writes them, under a
 * simulator of clusters (SimGrid's SMPI). Computing is time that passes; only the messages are
 * simulated.
 *
 *     simulate PATTERN        started by simulate.sh
 *
 * A sum in flight is a blocking one here: sums follow each other on the links, so a rank begins one
 * when it has come so far with computing and the one before is over, and computing goes on
 * meanwhile. Prints the seconds of the step on the slowest rank, and those it waited for sums.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVENTS_MAX = 4096, WORD_MAX = 16 };

typedef struct event {
    double seconds; /* of computing before it */
    char kind[WORD_MAX];
    double bytes;
} event;

static int read_pattern(event *events, const char *path)
{
    char line[256];
    int count = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    while (count < EVENTS_MAX && fgets(line, sizeof line, file) != NULL) {
        event *e = &events[count];
        count +=
            line[0] != '#' && sscanf(line, "%lf %15s %lf", &e->seconds, e->kind, &e->bytes) == 3;
    }
    (void)fclose(file); /* only read from */
    return count;
}

/* Room for the largest message, zeroed; the caller frees. NULL when there is no memory. */
static float *make_message(const event *events, int count)
{
    double most = 0;
    for (int i = 0; i < count; i++)
        most = events[i].bytes > most ? events[i].bytes : most;
    return calloc(1 + (size_t)most / sizeof(float), sizeof(float));
}

/* Let simulated time pass until `when`. */
static void wait_until(double when)
{
    double left = when - MPI_Wtime();
    if (left > 0)
        usleep((useconds_t)(1e6 * left + 0.5));
}

/* Go through a step; returns the seconds waited for sums. */
static double run(const event *events, int count, float *data)
{
    double clock = MPI_Wtime(); /* of computing */
    double waited = 0;
    for (const event *e = events; e < events + count; e++) {
        int floats = (int)(e->bytes / sizeof(float));
        clock += e->seconds;
        if (strcmp(e->kind, "agree") == 0) {
            wait_until(clock);
            MPI_Bcast(data, floats, MPI_FLOAT, 0, MPI_COMM_WORLD);
            clock = MPI_Wtime();
        } else if (strcmp(e->kind, "sum") == 0) {
            wait_until(clock);
            MPI_Allreduce(MPI_IN_PLACE, data, floats, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        } else if (strcmp(e->kind, "wait") == 0 && MPI_Wtime() > clock) {
            waited += MPI_Wtime() - clock;
            clock = MPI_Wtime();
        }
    }
    wait_until(clock);
    return waited;
}

int main(int argc, char **argv)
{
    static event events[EVENTS_MAX];
    int rank = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    int count = argc == 2 ? read_pattern(events, argv[1]) : 0;
    float *data = count > 0 ? make_message(events, count) : NULL;
    if (data == NULL) {
        if (rank == 0)
            (void)fprintf(stderr, "simulate: expected a pattern of study scaling, found none\n");
        MPI_Finalize();
        return 2;
    }
    double begun = MPI_Wtime();
    double times[2] = {0, run(events, count, data)};
    times[0] = MPI_Wtime() - begun;
    MPI_Allreduce(MPI_IN_PLACE, times, 2, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%.9g %.9g\n", times[0], times[1]);
    free(data);
    MPI_Finalize();
    return 0;
}
