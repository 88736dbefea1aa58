/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads a configuration: document, schema, checks, derived defaults; and finds things in it. Control's only
 * thread. */
#include "control/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config_check.h"
#include "control/schema.h"
#include "control/yaml_doc.h"

static const struct ip_addr *first_address(const struct config *c, uint8_t family, enum config_role role)
{
	for (size_t i = 0; i < c->ports.n; i++) {
		const struct config_port *p = &c->ports.v[i];

		if (p->role != (uint32_t)role)
			continue;
		for (size_t j = 0; j < p->addresses.n; j++) {
			if (p->addresses.v[j].addr.family == family &&
			    !ip_addr_is_link_local(&p->addresses.v[j].addr))
				return &p->addresses.v[j].addr;
		}
	}
	return NULL;
}

static const struct ip_addr *source_of(const struct config_router *r, uint8_t family)
{
	for (size_t i = 0; i < r->source.n; i++) {
		if (r->source.v[i].family == family)
			return &r->source.v[i];
	}
	return NULL;
}

/* The defaults of router that depend on other objects, as the schema's notes promise. */
static void derive_id(struct config *c)
{
	const struct ip_addr *id = source_of(c->router, IP_V4);

	if (c->router->id.family != IP_NONE)
		return;
	if (id == NULL)
		id = first_address(c, IP_V4, CONFIG_ROLE_LAN);
	if (id == NULL)
		id = first_address(c, IP_V4, CONFIG_ROLE_WAN);
	if (id != NULL)
		c->router->id = *id;
}

static void derive_sources(struct config *c)
{
	static const uint8_t families[] = {IP_V4, IP_V6};
	struct ip_addr *sources = arena_alloc(&c->arena, 2 * sizeof(*sources));
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		const struct ip_addr *a = source_of(c->router, families[i]);

		if (a == NULL)
			a = first_address(c, families[i], CONFIG_ROLE_LAN);
		if (a != NULL)
			sources[n++] = *a;
	}
	c->router->source.v = sources;
	c->router->source.n = n;
}

int config_parse(const char *text, size_t len, struct diag *d, struct config **out)
{
	struct yaml_doc *doc = NULL;
	struct config *c;
	int rc;

	rc = yaml_doc_parse(text, len, d, &doc);
	if (rc != 0)
		return ERR_INVALID;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		abort();
	schema_read(&schema_file, doc, yaml_doc_root(doc), &c->arena, d, c);
	if (c->router != NULL) { /* else the file is no mapping at all */
		const struct config_check check = {c, doc, d};

		derive_id(c);
		config_check_all(&check);
		derive_sources(c);
	}
	yaml_doc_free(doc);
	diag_sort(d);
	if (d->n_errors > 0) {
		config_free(c);
		return ERR_INVALID;
	}
	*out = c;
	return 0;
}

int config_load(const char *path, struct diag *d, struct config **out)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t len;
	int rc = ERR_IO;

	if (file == NULL) {
		diag_error(d, 0, 0, "cannot be opened: %s", strerror(errno));
		return ERR_IO;
	}
	text = malloc(YAML_DOC_MAX_LEN + 1);
	if (text == NULL)
		abort();
	len = fread(text, 1, YAML_DOC_MAX_LEN + 1, file);
	if (ferror(file)) {
		diag_error(d, 0, 0, "cannot be read: %s", strerror(errno));
		goto out;
	}
	rc = config_parse(text, len, d, out);
out:
	free(text);
	fclose(file);
	return rc;
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	arena_free(&c->arena);
	free(c);
}

const struct config_port *config_find_port(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->ports.n; i++) {
		if (strcmp(c->ports.v[i].name, name) == 0)
			return &c->ports.v[i];
	}
	return NULL;
}

const struct config_tunnel *config_find_tunnel(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->tunnels.n; i++) {
		if (strcmp(c->tunnels.v[i].name, name) == 0)
			return &c->tunnels.v[i];
	}
	return NULL;
}

const struct config_peer *config_find_peer(const struct config_tunnel *t, const char *name)
{
	for (size_t i = 0; i < t->peers.n; i++) {
		if (t->peers.v[i].name != NULL && strcmp(t->peers.v[i].name, name) == 0)
			return &t->peers.v[i];
	}
	return NULL;
}

const struct config_filter *config_find_filter(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->filters.n; i++) {
		if (strcmp(c->filters.v[i].name, name) == 0)
			return &c->filters.v[i];
	}
	return NULL;
}

const struct config_prefix_list *config_find_prefix_list(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->prefix_lists.n; i++) {
		if (strcmp(c->prefix_lists.v[i].name, name) == 0)
			return &c->prefix_lists.v[i];
	}
	return NULL;
}

static bool holds(const struct config_prefixes *addresses, const struct ip_addr *a, int *best_len)
{
	bool better = false;

	for (size_t i = 0; i < addresses->n; i++) {
		if (ip_prefix_contains_addr(&addresses->v[i], a) && addresses->v[i].len > *best_len) {
			*best_len = addresses->v[i].len;
			better = true;
		}
	}
	return better;
}

const struct config_peer *config_find_peer_at(const struct config_tunnel *t, const struct ip_addr *a)
{
	const struct config_peer *peer = NULL;
	int best_len = -1;

	if (t->peers.n == 1)
		return &t->peers.v[0];
	for (size_t i = 0; i < t->peers.n; i++) {
		const struct config_peer *p = &t->peers.v[i];

		for (size_t j = 0; j < p->addresses.n; j++) {
			if (ip_addr_equal(&p->addresses.v[j], a))
				return p;
		}
		if (holds(&p->allowed_ips, a, &best_len))
			peer = p;
	}
	return peer;
}

const char *config_find_interface(const struct config *c, const struct ip_addr *a)
{
	const char *name = NULL;
	int best_len = -1;

	for (size_t i = 0; i < c->ports.n; i++) {
		if (holds(&c->ports.v[i].addresses, a, &best_len))
			name = c->ports.v[i].name;
	}
	for (size_t i = 0; i < c->tunnels.n; i++) {
		if (holds(&c->tunnels.v[i].addresses, a, &best_len))
			name = c->tunnels.v[i].name;
	}
	return name;
}

const char *config_bgp_interface(const struct config *c, const struct config_bgp_peer *p)
{
	return p->interface != NULL ? p->interface : config_find_interface(c, &p->address);
}
