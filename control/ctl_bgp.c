/* SPDX-License-Identifier: BSD-3-Clause */
/* `show bgp`: sessions of the BGP core as rows. Control's only thread. */
#include "control/ctl_bgp.h"

#include <stdio.h>
#include <string.h>

#include "control/ctl_commands.h"
#include "control/ctl_rows.h"
#include "control/daemon.h"

static const char *const family_names[BGP_FAMILIES] = {[BGP_IPV4] = "ipv4", [BGP_IPV6] = "ipv6"};

static void set(json_t *o, const char *name, json_t *value)
{
	json_object_set_new(o, name, value);
}

static json_t *integer(uint64_t v)
{
	return json_integer((json_int_t)v);
}

void ctl_bgp_add_attrs(json_t *row, const struct bgp_attrs *attrs)
{
	static const char *const origins[] = {"igp", "egp", "incomplete"};
	struct bgp_attrs_info info;
	char text[1024];

	if (attrs == NULL)
		return;
	bgp_attrs_get_info(attrs, &info);
	set(row, "as-path", ctl_rows_text(bgp_attrs_format_path(attrs, text, sizeof(text))));
	set(row, "origin", json_string(origins[info.origin % 3]));
	if (info.has_local_pref)
		set(row, "local-pref", integer(info.local_pref));
	if (info.has_med)
		set(row, "med", integer(info.med));
	bgp_attrs_format_communities(attrs, text, sizeof(text));
	if (text[0] != '\0')
		set(row, "communities", ctl_rows_text(text));
	set(row, "next-hop", ctl_rows_addr(&info.next_hop));
}

const char *ctl_bgp_reason(const struct bgp_path_info *p, char *buf, size_t size)
{
	const char *versus = p->versus == NULL ? "" : p->versus[0] == '\0' ? "our own route" : p->versus;

	switch (p->reason) {
	case BGP_REASON_BACKUP:
		snprintf(buf, size, "backup: %s is better by %s", versus[0] != '\0' ? versus : "another path",
		    bgp_step_text(p->step));
		break;
	case BGP_REASON_FILTERED:
		snprintf(buf, size, "rejected by rule %u of filter %s", p->rule, p->filter);
		break;
	case BGP_REASON_FILTER_END:
		snprintf(buf, size, "no rule of filter %s matches", p->filter);
		break;
	default:
		snprintf(buf, size, "%s", bgp_reason_text(p->reason));
		break;
	}
	return buf;
}

static json_t *error_row(const struct bgp_error_info *e, uint64_t now_ns)
{
	if (!e->there)
		return json_null();
	return json_pack("{s:i, s:i, s:I, s:o}", "code", e->code, "subcode", e->subcode, "age-ns",
	    (json_int_t)(now_ns > e->at_ns ? now_ns - e->at_ns : 0), "text", ctl_rows_text(e->text));
}

static json_t *family_rows(const struct bgp_peer_info *p)
{
	json_t *families = json_object();

	for (unsigned i = 0; i < BGP_FAMILIES; i++) {
		const struct bgp_family_info *f = &p->family[i];
		json_t *row;

		if (!f->negotiated && p->state == BGP_ESTABLISHED)
			continue;
		row = json_object();
		set(row, "received", integer(f->received));
		set(row, "accepted", integer(f->accepted));
		set(row, "filtered", integer(f->filtered));
		set(row, "stale", integer(f->stale));
		set(row, "sent", integer(f->sent));
		set(row, "unsent", integer(f->unsent));
		set(row, "end-of-rib-received", json_boolean(f->eor_received));
		set(row, "end-of-rib-sent", json_boolean(f->eor_sent));
		set(families, family_names[i], row);
	}
	return families;
}

static json_t *message_counts(const uint64_t counts[BGP_MSG_TYPES])
{
	json_t *o = json_object();

	for (unsigned i = 1; i < BGP_MSG_TYPES; i++)
		set(o, bgp_msg_text(i), integer(counts[i]));
	return o;
}

static json_t *graceful_restart_row(const struct bgp_peer_info *p)
{
	return json_pack("{s:b, s:b, s:b, s:i, s:I}", "offered", p->sent.graceful_restart, "received",
	    p->received.graceful_restart, "keeping-stale-routes", p->restarting, "peer-restart-time-s",
	    p->received.restart_time_s, "left-ns", (json_int_t)p->restart_left_ns);
}

static json_t *peer_row(const struct bgp_peer_info *p, uint64_t now_ns)
{
	json_t *row = json_object();
	const struct ip_addr id = ip_addr_v4(__builtin_bswap32(p->remote_id));

	set(row, "name", json_string(p->name));
	set(row, "address", ctl_rows_addr(&p->config.address));
	set(row, "interface", json_string(p->config.interface));
	set(row, "as", integer(p->config.as));
	set(row, "external", json_boolean(p->external));
	set(row, "state", json_string(p->config.disabled ? "Disabled" : bgp_state_text(p->state)));
	set(row, "since-ns", integer(now_ns > p->since_ns ? now_ns - p->since_ns : 0));
	set(row, "usable", json_boolean(p->usable));
	set(row, "router-id", p->remote_id != 0 ? ctl_rows_addr(&id) : json_null());
	set(row, "local-address", ctl_rows_addr(&p->local.addr));
	set(row, "hold-time-s", integer(p->hold_time_s));
	set(row, "established", integer(p->established));
	set(row, "import", json_string(p->config.import_filter));
	set(row, "export", json_string(p->config.export_filter));
	set(row, "families", family_rows(p));
	set(row, "messages-in", message_counts(p->in));
	set(row, "messages-out", message_counts(p->out));
	set(row, "bytes-in", integer(p->bytes_in));
	set(row, "bytes-out", integer(p->bytes_out));
	set(row, "malformed", integer(p->malformed));
	set(row, "graceful-restart", graceful_restart_row(p));
	set(row, "retry-in-ns", integer(p->retry_in_ns));
	set(row, "last-error-received", error_row(&p->error_in, now_ns));
	set(row, "last-error", error_row(&p->error_out, now_ns));
	return row;
}

void ctl_show_bgp(struct ctl_request *q)
{
	struct bgp *core = bgp_glue_core(q->daemon->bgp);
	const char *wanted = ctl_arg(q, "peer");
	const uint64_t now_ns = bgp_glue_now(q->daemon->bgp);
	struct bgp_peer_info info;
	unsigned n = 0;

	if (core == NULL && q->daemon->config->bgp != NULL) {
		ctl_fail(q, "no-dataplane", NULL, "BGP starts when the dataplane is there, which is %s",
		    fibfeed_state_text(q->daemon->feed));
		return;
	}
	for (const char *name = core != NULL ? bgp_peer_next_name(core, NULL) : NULL; name != NULL;
	     name = bgp_peer_next_name(core, info.name)) {
		if (bgp_peer_get_info(core, name, now_ns, &info) != 0)
			break;
		if (wanted != NULL && strcmp(wanted, info.name) != 0)
			continue;
		ctl_row(q, peer_row(&info, now_ns));
		n++;
	}
	if (wanted != NULL && n == 0)
		ctl_fail(q, "not-found", NULL, "there is no BGP peer %.60s", wanted);
	else
		ctl_done(q);
}
