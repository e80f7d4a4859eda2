/*
 * node: a node of two processes that share a data set, played one after the other: the leader's run
 * is recorded, the follower gets what was recorded.
 */
#ifndef TEST_NODE_H
#define TEST_NODE_H

#include "check.h"

#include "colrow/data.h"

enum { NODE_CALLS = 16 };

typedef struct node {
    int allocated, released, agreed, sent; /* calls of the process that plays now */
    void *blocks[NODE_CALLS];
    size_t bytes[NODE_CALLS];
    cr_status verdict[NODE_CALLS];
    uint8_t message[4096];
    int fail_at; /* the allocation that fails for the follower; -1: none */
    bool leader;
} node;

static inline cr_status node_allocate(void *self, void **out, size_t bytes)
{
    node *n = self;
    int call = n->allocated++;
    assert_in_range(call, 0, NODE_CALLS - 1);
    if (n->leader) {
        n->bytes[call] = bytes;
        CR_TRY(cr_alloc(&n->blocks[call], bytes));
    }
    assert_int_equal(bytes, n->bytes[call]);
    CR_CHECK(n->leader || call != n->fail_at, CR_INTERNAL, "out of memory");
    *out = n->blocks[call];
    return CR_OK;
}

/* The memory itself stays for the other process, until node_free. */
static inline void node_release(void *self, void **block)
{
    ((node *)self)->released += *block != NULL;
    *block = NULL;
}

static inline cr_status node_agree(void *self, cr_status local)
{
    node *n = self;
    int call = n->agreed++;
    assert_in_range(call, 0, NODE_CALLS - 1);
    if (n->leader)
        n->verdict[call] = local;
    return local != CR_OK ? local : n->verdict[call];
}

static inline cr_status node_broadcast(void *self, void *data, size_t bytes)
{
    node *n = self;
    n->sent++;
    assert_true(n->sent == 1 && bytes <= sizeof n->message);
    memcpy(n->leader ? n->message : data, n->leader ? data : n->message, bytes);
    return CR_OK;
}

/* Open a set as the leader, or afterwards as the follower. */
static inline cr_status node_play(node *n, bool leader, cr_data *data,
                                  const cr_data_options *options, const cr_data_wanted *wanted)
{
    cr_data_share share = {.self = n,
                           .leader = leader,
                           .allocate = node_allocate,
                           .release = node_release,
                           .agree = node_agree,
                           .broadcast = node_broadcast};
    n->allocated = n->released = n->agreed = n->sent = 0;
    n->leader = leader;
    return cr_data_open(data, options, wanted, &share);
}

static inline void node_free(node *n)
{
    for (int i = 0; i < NODE_CALLS; i++)
        CR_FREE(n->blocks[i]);
}

#endif
