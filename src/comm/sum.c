/* sum: gradients in flight, and the sum along a fixed tree whose bits do not depend on the ranks.
 */
#include "comm.h"

static int in_flight(const cr_comm *comm)
{
    return comm->flying + comm->short_flights.begun;
}

cr_status cr_flights_begin(cr_comm *comm)
{
    CR_CHECK(in_flight(comm) < CR_COMM_FLIGHTS, CR_INTERNAL,
             "sums in flight: expected at most %d; make bucket_bytes larger", CR_COMM_FLIGHTS);
    if (in_flight(comm) == 0)
        comm->begun = cr_seconds();
    return CR_OK;
}

cr_status cr_comm_sum_begin(cr_comm *comm, float *values, int64_t count)
{
    int n = 0;
    CR_TRY(cr_to_int(&n, count, "sum of gradients"));
    CR_TRY(cr_flights_begin(comm));
    CR_MPI(MPI_Iallreduce(MPI_IN_PLACE, values, n, MPI_FLOAT, MPI_SUM, comm->world,
                          &comm->flights[comm->flying]));
    comm->flying++;
    return CR_OK;
}

/* Let everything in flight move on; how long it took is known when all has landed. */
static cr_status advance(cr_comm *comm)
{
    int all = 0;
    if (in_flight(comm) == 0)
        return CR_OK;
    CR_MPI(MPI_Testall(comm->flying, comm->flights, &all, MPI_STATUSES_IGNORE));
    if (all)
        comm->flying = 0;
    CR_TRY(cr_bf16_advance(comm));
    if (in_flight(comm) == 0)
        comm->seconds.in_flight += cr_seconds() - comm->begun;
    return CR_OK;
}

cr_status cr_comm_progress(cr_comm *comm)
{
    CR_TRY(advance(comm));
    return cr_watchdog_look(comm, NULL);
}

cr_status cr_comm_wait(cr_comm *comm)
{
    cr_watch watch = {0};
    double begun = cr_seconds();
    for (;;) {
        CR_TRY(advance(comm));
        if (in_flight(comm) == 0)
            break;
        CR_TRY(cr_watch_turn(comm, &watch));
    }
    comm->seconds.waited += cr_seconds() - begun;
    return CR_OK;
}

cr_comm_seconds cr_comm_seconds_of(const cr_comm *comm)
{
    return comm->seconds;
}

/* ---- the fixed tree -------------------------------------------------------------------------
 * Every node belongs to the rank that owns its leftmost leaf. Level by level, a right child's owner
 * sends it to the left child's owner, which adds. */
static void add(float *left, const float *right, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        left[i] += right[i];
}

void cr_comm_tree_push(cr_tree_part *parts, int *n, cr_tree_part part, int64_t count)
{
    parts[(*n)++] = part;
    while (*n >= 2) {
        cr_tree_part *left = &parts[*n - 2];
        const cr_tree_part *right = left + 1;
        if (left->level != right->level || left->node % 2 != 0 || right->node != left->node + 1)
            return;
        add(left->values, right->values, count);
        left->level++;
        left->node /= 2;
        (*n)--;
    }
}

typedef struct tree {
    cr_comm *comm;
    cr_tree_part *parts; /* this rank's, left to right */
    int n;
    int64_t count;
    const int *owners;
    int leaves;
    float *scratch;
} tree;

static int owner(const tree *t, int level, int node)
{
    return t->owners[(int64_t)node << level];
}

static cr_tree_part *find(const tree *t, int level, int node)
{
    for (int i = 0; i < t->n; i++)
        if (t->parts[i].level == level && t->parts[i].node == node)
            return &t->parts[i];
    return NULL;
}

/* The pair (node, node + 1) of `level`: its sum becomes node / 2 of the level above. */
static cr_status join(tree *t, int level, int node)
{
    int left = owner(t, level, node);
    int right = owner(t, level, node + 1);
    int count = 0;
    MPI_Request request = MPI_REQUEST_NULL;
    CR_TRY(cr_to_int(&count, t->count, "tree sum"));
    if (right == t->comm->rank && left != right) {
        CR_MPI(MPI_Isend(find(t, level, node + 1)->values, count, MPI_FLOAT, left, CR_TAG_TREE,
                         t->comm->world, &request));
        CR_TRY(cr_wait(t->comm, 1, &request));
    } else if (left == t->comm->rank) {
        const cr_tree_part *own = find(t, level, node + 1);
        if (own == NULL)
            CR_MPI(MPI_Irecv(t->scratch, count, MPI_FLOAT, right, CR_TAG_TREE, t->comm->world,
                             &request));
        CR_TRY(cr_wait(t->comm, 1, &request));
        add(find(t, level, node)->values, own != NULL ? own->values : t->scratch, t->count);
    }
    return CR_OK;
}

/* After a level: every left or single node of this rank moves one level up. */
static void climb(tree *t, int level)
{
    for (int i = 0; i < t->n; i++) {
        cr_tree_part *part = &t->parts[i];
        if (part->level != level)
            continue;
        if (part->node % 2 == 0)
            *part = (cr_tree_part){level + 1, part->node / 2, part->values};
        else
            part->level = -1; /* added to its left sibling */
    }
}

cr_status cr_comm_sum_fixed(cr_comm *comm, double *values, int count, double *scratch)
{
    int rank = comm->rank;
    MPI_Request request = MPI_REQUEST_NULL;
    for (int apart = 1; apart < comm->size; apart *= 2) {
        if (rank % (2 * apart) == apart) { /* to the left one of a pair: no part in what follows */
            CR_MPI(MPI_Isend(values, count, MPI_DOUBLE, rank - apart, CR_TAG_TREE, comm->world,
                             &request));
            CR_TRY(cr_wait(comm, 1, &request));
            break;
        }
        if (rank + apart >= comm->size)
            continue;
        CR_MPI(MPI_Irecv(scratch, count, MPI_DOUBLE, rank + apart, CR_TAG_TREE, comm->world,
                         &request));
        CR_TRY(cr_wait(comm, 1, &request));
        for (int i = 0; i < count; i++)
            values[i] += scratch[i];
    }
    return cr_comm_broadcast(comm, values, (size_t)count * sizeof *values, 0);
}

cr_status cr_comm_tree_sum(cr_comm *comm, float *out, cr_tree_part *parts, int n, int64_t count,
                           const int *owners, int leaves, float *scratch)
{
    tree t = {comm, parts, n, count, owners, leaves, scratch};
    int level = 0;
    for (int nodes = leaves; nodes > 1; nodes = (nodes + 1) / 2, level++) {
        for (int node = 0; node + 1 < nodes; node += 2)
            if (find(&t, level, node) != NULL || find(&t, level, node + 1) != NULL)
                CR_TRY(join(&t, level, node));
        climb(&t, level);
    }
    const cr_tree_part *root = find(&t, level, 0);
    if (root != NULL && root->values != out)
        for (int64_t i = 0; i < count; i++)
            out[i] = root->values[i];
    if (comm->size > 1)
        CR_TRY(cr_comm_broadcast(comm, out, (size_t)count * sizeof(float), owners[0]));
    return CR_OK;
}
