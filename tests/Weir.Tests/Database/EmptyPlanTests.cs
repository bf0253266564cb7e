using System.Text.Json;
using Npgsql;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// A database that was vacuumed and analyzed while it was empty, whose sessions have made their plans in a small world and keep them, and
/// which has grown since without another analyze. One session for each kind of pool, with the options of the pool.
/// </summary>
public sealed class GrownDatabase(TestCluster cluster) : TestDatabase(cluster), IAsyncLifetime
{
    private const int Organizations = 1000;
    private const int Before = 8;

    /// <summary>Functions of the engine that are not asked here, and why.</summary>
    public static readonly IReadOnlyDictionary<string, string> Exceptions = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["ensure_log_partitions"] = "reads the catalog only",
        ["vector_schema"] = "reads the catalog only",
        ["node_connections"] = "all nodes, which are few",
        ["replica_heartbeat"] = "all replicas, which are few",
        ["register_node"] = "once in a node's life, among few nodes",
        ["issue_node_token"] = "once in a node's life, among few nodes",
        ["reopen_embeddings"] = "once for a change of the model, and reads all passages",
    };

    /// <summary>The pool of <see cref="Rounds"/>.</summary>
    public const string Rounders = "engine";

    private readonly Dictionary<string, NpgsqlConnection> _sessions = [];
    private readonly List<string> _plans = [];

    /// <summary>By pool: what the engine asks, in the life of a call and in the background.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> Statements = new Dictionary<string, string[]>
    {
        ["admission"] =
        [
            "select bulk.admit(1, {0}, 2, 2, true)",
            "select weir.admit(gen_random_uuid(), array[gen_random_uuid()], array[now()], array[null], array[null]::bytea[], "
                + "array[bulk.id('user', 7)], array[bulk.id('agent', 14)], array['tool_execution'], array[bulk.id('server', 14)], "
                + "array['tool_1'], array['{{}}'], array['1'], array[1], array[1::bigint], array[null]::bytea[], array['{{}}'], "
                + "array[null]::uuid[])",
            // Denied, and again and again: counted.
            "select weir.admit(gen_random_uuid(), array[gen_random_uuid()], array[now()], array[bulk.key_id(14)], "
                + "array[bulk.secret_hash(14)], array[null]::uuid[], array[null]::uuid[], array['tool_execution'], array[bulk.id('server', "
                + "14)], array['tool_none'], array['{{}}'], array['1'], array[1], array[1::bigint], array[null]::bytea[], array['{{}}'], "
                + "array[null]::uuid[])",
        ],
        ["completion"] =
        [
            "select weir.complete(gen_random_uuid(), array_agg(l.id), array_agg(l.created_at), array['ok'], array[null], array[1::bigint], "
                + "array[1::bigint], array[null]::bytea[], array['{{}}']) from (select * from bulk.requested limit 1) l",
            // Next month's partition, which was empty when the session began.
            "select weir.complete(gen_random_uuid(), array_agg(l.id), array_agg(l.created_at), array['ok'], array[null], array[1::bigint], "
                + "array[1::bigint], array[null]::bytea[], array['{{}}']) from (select * from bulk.requested_later limit 1) l",
            "select weir.record_denials(gen_random_uuid(), array[gen_random_uuid()], array[now()], array[bulk.key_id(14)], "
                + "array[bulk.secret_hash(14)], array[null]::uuid[], array[null]::uuid[], array['error'], array['x'], "
                + "array['invalid_request'], array['1'], array[1::bigint], array[null]::bytea[])",
        ],
        ["engine"] =
        [
            "select weir.authenticate_key(bulk.key_id(14), bulk.secret_hash(14))",
            "select weir.principal_organization(bulk.key_id(14), bulk.secret_hash(14), null, null)",
            "select * from weir.agent_catalog(bulk.key_id(14), bulk.secret_hash(14), null, null, null)",
            "select * from weir.find_tools(bulk.key_id(14), bulk.secret_hash(14), null, null, 'tool seven or tol_8', 10)",
            "select * from weir.definitions(array[bulk.id('server', 14)], array['tool'], array['tool_1'], array[sha256('tool_1')])",
            "select * from weir.instance_endpoints(array[bulk.id('server', 14)])",
            "select weir.may_read(bulk.key_id(14), bulk.secret_hash(14), null, null, array[bulk.id('server', 14)], array['file:///a'])",
            "select * from weir.search_documents(bulk.id('user', 7), bulk.id('agent', 14), 'page 3', 10)",
            "select * from weir.chunk_vectors(bulk.id('user', 7), bulk.id('agent', 14), bulk.id('datastore', 7), 'm', 0, 1)",
            "select weir.chat_turn_settings(bulk.id('user', 7), bulk.id('agent', 14))",
            "select * from weir.model_settings_for(bulk.id('user', 7), bulk.id('agent', 14))",
            "select * from weir.begin_chat_turn(bulk.id('replica', 1), bulk.id('user', 7), bulk.id('agent', 14), bulk.id('message', 7 * "
                + "20), '1 minute')",
            "select * from weir.record_chat_answer(bulk.id('user', 7), bulk.id('agent', 14), bulk.id('channel', 7), bulk.id('message', 7 * "
                + "20), 'hi', '[]', null, '[]', '{{}}')",
            "select weir.record_model_usage(bulk.id('organization', 7), '[]')",
            "select weir.audit_mcp_interactions(jsonb_build_array(jsonb_build_object('interaction_type', 'error', 'organization_id', "
                + "bulk.id('organization', 7), 'agent_id', bulk.id('agent', 14))))",
            "select * from weir.agent_knowledge(bulk.id('user', 7), bulk.id('agent', 14))",
            "select weir.begin_sign_in('user7@example.org', '10.0.0.1')",
            "select weir.open_sign_in(bulk.id('user', 7), '10.0.0.1')",
            "select weir.refresh_sign_in(bulk.id('nothing', 1), 1)",
            "select weir.verify_invitation(sha256('none'), '10.0.0.1')",
            "select weir.verify_recovery(sha256('none'), '10.0.0.1')",
            "select weir.set_password(bulk.id('user', 7), bulk.id('nothing', 1), null)",
            "select weir.signed_in_user(bulk.id('user', 7), bulk.id('nothing', 1))",
            "select weir.close_sign_ins(bulk.id('user', 7), bulk.id('nothing', 1), 'global')",
            "select weir.forget_vector_removals(bulk.id('organization', 7), 'x', array[bulk.id('chunk', 1)])",
            "select weir.not_placed(sha256('none'), '[]')",
            "select weir.overtake_generation(bulk.id('server', 14), 1, 2)",
            "select weir.report_closed_node(bulk.id('nothing', 1), 'http://n', '1 second', '7 seconds')",
            "select * from weir.passages(bulk.id('user', 7), bulk.id('agent', 14), array[bulk.id('chunk', 14)])",
            "select weir.record_chat_call(bulk.id('replica', 1), bulk.id('agent', 14), bulk.id('message', 7 * 20 + 1), 1, '{{}}')",
            "select * from weir.record_definitions(bulk.id('server', 14), 1, array['tool'], array['tool_1'], array[sha256('tool_1')], "
                + "array['{{}}'], '{{}}')",
            "select weir.record_embedding_failure(array[bulk.id('document', 14)], 'x')",
            "select weir.record_embeddings(bulk.id('organization', 7), bulk.id('datastore', 7), 'm', array[bulk.id('chunk', 14)], "
                + "array[1]::real[], null)",
            "select weir.record_operation(bulk.id('nothing', 1), bulk.id('replica', 1), 'done', null, null, null)",
            "select weir.release_chat_turn(bulk.id('replica', 1), bulk.id('agent', 14), bulk.id('message', 7 * 20 + 1))",
            "select weir.resolve_identity('https://i.example', 's', 'x@example.org', false)",
            "select weir.rewrap_user_data_key(bulk.id('user', 7), 1, null)",
            "select * from weir.search_vectors(bulk.id('user', 7), bulk.id('agent', 14), 'm', array[1]::real[], 10)",
            "select weir.sign_up('somebody@example.org', 'x')",
            "select * from weir.read_with_key('none', sha256('x'), 'read_usage', '{{}}')",
            "select weir.close_denial_counts(1000)",
            "select weir.authenticate_organization_key('none', sha256('x'))",
            "select weir.is_keyring(sha256('x'))",
            "select weir.node_of_key(sha256('none'))",
            "select weir.node_heartbeat(sha256('none'), 'http://n', '{{}}', '[]')",
            "select weir.sweep_nodes('20 seconds')",
            "select * from weir.server_log_source(bulk.id('server', 14))",
            "select weir.refresh_soon(bulk.id('server', 14))",
            "select weir.record_instance_state(bulk.id('server', 14), 1, 'running', null, null)",
            "select weir.record_phase(bulk.id('server', 14), 1, 'handshake')",
            "select weir.record_security_events(array['unknown_key'], array['abc'], array['10.0.0.1']::inet[], array[1])",
            "select weir.user_of_token('https://i.example', 's', 'x@example.org', false)",
            "select weir.find_login('user7@example.org')",
            "select weir.user_data_key(bulk.id('user', 7), null)",
            "select weir.change_version()",
            "select weir.public_url()",
            "select weir.switched_off(array[bulk.id('agent', 14)], array[bulk.id('server', 14)])",
            "select * from weir.live_replicas()",
        ],
    };

    /// <summary>What looks through all that is due, every few seconds: it is planned anew each time.</summary>
    public static readonly IReadOnlyList<string> Rounds =
    [
        "select weir.roll_up_usage('1 minute')",
        "select weir.purge('1 day', '1 day', '1 day', 1000)",
        "select weir.purge_datastores(10)",
        "select weir.purge_deleted(10)",
        "select * from weir.claim_operations(gen_random_uuid(), 16, '1 minute')",
        "select * from weir.instances_to_refresh(gen_random_uuid(), 4, '1 minute', '1 hour')",
        "select * from weir.claim_embeddings('m', 10, '1 minute')",
        "select * from weir.claim_vector_removals(10, '1 minute')",
    ];

    async ValueTask IAsyncLifetime.InitializeAsync()
    {
        await InitializeAsync();
        await ExecuteAsync(await File.ReadAllTextAsync(Repository.PathOf("db/testing/bulk.sql")));
        await ExecuteAsync(
            "create table bulk.requested (id uuid, created_at timestamptz); create table bulk.requested_later (like bulk.requested); grant "
                + "select on bulk.requested, bulk.requested_later to public");
        // Autovacuum would analyze the tables that have grown, and two plans of one comparison could see different statistics.
        await ExecuteAsync("""
            do $$
            declare
              t regclass;
            begin
              for t in select c.oid from pg_class c
                       where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'weir'::regnamespace) loop
                execute format('alter table %s set (autovacuum_enabled = false)', t);
              end loop;
            end;
            $$
            """);
        await ExecuteAsync("vacuum analyze");
        await GrowAsync(Before, from: 0);
        foreach (var pool in Statements.Keys)
        {
            var session = _sessions[pool] = await OpenAsync(Source(pool));
            foreach (var statement in pool == Rounders ? [.. Statements[pool], .. Rounds] : Statements[pool])
            {
                for (var i = 0; i < 6; i++)
                {
                    await AskAsync(session, Sized(statement, Before));
                }
            }
        }

        await GrowAsync(Organizations, from: Before);
        // What a GIN index has not sorted in yet is read by each search, whatever the plan: vacuum does this too, but would count the rows.
        await ExecuteAsync(
            "select gin_clean_pending_list(i.oid) from pg_class i join pg_am a on a.oid = i.relam where a.amname = 'gin' and i.relkind "
                + "= 'i'");
    }

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        foreach (var session in _sessions.Values)
        {
            await session.DisposeAsync();
        }

        await DisposeAsync();
    }

    /// <summary>
    /// The plans of a statement and of all that its functions run, with what each node of them did. What it changed is undone.
    /// </summary>
    /// <param name="isNew">Whether a session asks that has made no plan before.</param>
    public async Task<IReadOnlyList<JsonElement>> PlansAsync(string pool, string statement, bool isNew = false)
    {
        _plans.Clear();
        await using var other = isNew ? await OpenAsync(Source(pool)) : null;
        var session = other ?? _sessions[pool];
        await RunAsync(
            session, "begin; reset role; set auto_explain.log_min_duration = 0; set role weir_engine; set client_min_messages = log");
        await AskAsync(session, Sized(statement, Organizations));
        await RunAsync(session, "rollback");
        return [
            .. _plans.Where(p => p.Contains("plan:", StringComparison.Ordinal))
                .Select(p => JsonElement.Parse(p[(p.IndexOf("plan:", StringComparison.Ordinal) + 5)..])),
        ];
    }

    private NpgsqlDataSource Source(string pool) => pool switch
    {
        "admission" => Pools.Admission,
        "completion" => Pools.Completion,
        _ => Pools.Engine,
    };

    /// <summary>A superuser's session, for <c>auto_explain</c>, with the options of a pool and as its role.</summary>
    private async Task<NpgsqlConnection> OpenAsync(NpgsqlDataSource pool)
    {
        var url = DatabaseUrl.Parse(Cluster.Postgres.SuperuserUrl(Name));
        (url.Options, url.Pooling) = (new NpgsqlConnectionStringBuilder(pool.ConnectionString).Options, false);
        var session = new NpgsqlConnection(url.ConnectionString);
        await session.OpenAsync();
        session.Notice += (_, e) => _plans.Add(e.Notice.MessageText);
        await RunAsync(session, """
            load 'auto_explain'; set auto_explain.log_nested_statements = on; set auto_explain.log_analyze = on; set auto_explain.log_buffers = on;
            set auto_explain.log_timing = off; set auto_explain.log_format = json; set role weir_engine
            """);
        return session;
    }

    private static string Sized(string statement, int organizations) =>
        string.Format(System.Globalization.CultureInfo.InvariantCulture, statement, organizations);

    private Task GrowAsync(int organizations, int from) => ExecuteAsync($"""
        select bulk.populate({organizations}, 2, 2, {organizations * 20}, {from}), bulk.add_texts({organizations}, 2, 20, {from});
        insert into public.mcp_interaction_logs (created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, agent_id, item)
        select date_trunc('month', now()) + interval '1 month' + n * interval '1 second', gen_random_uuid(), 'requested',
               bulk.id('organization', n % {organizations}), 'tool_execution', 'allowed', 1, 'agent', bulk.id('agent', n), 'tool_0'
        from generate_series({from} * 20 + 1, {organizations} * 20) n;
        truncate bulk.requested, bulk.requested_later;
        insert into bulk.requested
        select id, created_at from public.mcp_interaction_logs where phase = 'requested' and created_at < now() order by created_at desc limit 1;
        insert into bulk.requested_later
        select id, created_at from public.mcp_interaction_logs where phase = 'requested' order by created_at desc limit 1
        """);

    private async Task ExecuteAsync(string sql)
    {
        await using var session = await Superuser.OpenConnectionAsync();
        await RunAsync(session, sql);
    }

    /// <summary>What it looks up is planned, also where it then says no.</summary>
    private static async Task AskAsync(NpgsqlConnection session, string statement)
    {
        try
        {
            await RunAsync(session, statement);
        }
        catch (PostgresException e) when (e.SqlState.StartsWith("WR", StringComparison.Ordinal))
        {
            // Nothing is there for it to do.
        }
    }

    private static async Task RunAsync(NpgsqlConnection session, string sql)
    {
        await using var command = new NpgsqlCommand(sql, session) { CommandTimeout = 300 };
        await command.ExecuteNonQueryAsync();
    }
}

/// <summary>Plans that were made of empty tables do not read whole tables when these have grown.</summary>
public sealed class EmptyPlanTests(GrownDatabase database) : IClassFixture<GrownDatabase>
{
    /// <summary>Blocks of a table or index that one look-up may read, and rows that it may throw away.</summary>
    private const double Most = 256;

    public static TheoryData<string, string> Statements
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (pool, statements) in GrownDatabase.Statements)
            {
                foreach (var statement in statements)
                {
                    data.Add(pool, statement);
                }
            }

            return data;
        }
    }

    public static TheoryData<string> Rounds => [.. GrownDatabase.Rounds];

    [Theory]
    [MemberData(nameof(Statements))]
    public async Task No_statement_reads_a_grown_table_as_if_it_were_empty(string pool, string statement)
    {
        var plans = await database.PlansAsync(pool, statement);
        plans.ShouldNotBeEmpty("the plans must be there to be read");
        plans.SelectMany(p => Scans(p.GetProperty("Plan"))).Where(s => Math.Max(s.Blocks, s.Removed) > Most).Select(s => s.Text)
            .ShouldBeEmpty();
    }

    [Fact]
    public async Task Every_function_of_the_engine_is_asked_or_has_a_reason_not_to_be()
    {
        var functions = await database.Superuser.QueryAsync(
            "select distinct p.proname::text from pg_proc p where p.pronamespace = 'weir'::regnamespace and p.prosecdef and "
                + "has_function_privilege('weir_engine', p.oid, 'execute')",
            [], r => r.GetString(0), TestContext.Current.CancellationToken);
        var asked = string.Join('\n', GrownDatabase.Statements.Values.SelectMany(s => s).Concat(GrownDatabase.Rounds));
        functions.Where(f => !asked.Contains($"weir.{f}(", StringComparison.Ordinal) && !GrownDatabase.Exceptions.ContainsKey(f))
            .ShouldBeEmpty();
        GrownDatabase.Exceptions.Keys.Except(functions, StringComparer.Ordinal).ShouldBeEmpty();
    }

    /// <summary>
    /// What is compared is how much is read. Two indexes that cost the same may change places: a session remembers how high an index was
    /// when it last used it.
    /// </summary>
    [Theory]
    [MemberData(nameof(Rounds))]
    public async Task What_looks_through_all_that_is_due_reads_no_more_in_an_old_session_than_in_a_new_one(string statement)
    {
        var old = await ReadsAsync(statement, isNew: false);
        old.ShouldBeLessThanOrEqualTo((await ReadsAsync(statement, isNew: true) * 1.5) + Most);
    }

    /// <summary>Blocks that a round reads, and rows that it throws away, over all its statements.</summary>
    private async Task<double> ReadsAsync(string statement, bool isNew)
    {
        var scans = (await database.PlansAsync(GrownDatabase.Rounders, statement, isNew)).SelectMany(p => Scans(p.GetProperty("Plan")))
            .ToList();
        scans.ShouldNotBeEmpty("the plans must be there to be compared");
        return scans.Sum(s => s.Loops * (s.Blocks + s.Removed));
    }

    private static IEnumerable<(string Text, double Blocks, double Removed, double Loops)> Scans(JsonElement node)
    {
        // What a node that writes reads is read by the nodes below it.
        if (node.GetProperty("Node Type").GetString() != "ModifyTable" && node.TryGetProperty("Relation Name", out var table)
            && node.TryGetProperty("Actual Loops", out var loops) && loops.GetDouble() > 0)
        {
            double Of(string name) => node.TryGetProperty(name, out var value) ? value.GetDouble() : 0;
            var blocks = (Of("Shared Hit Blocks") + Of("Shared Read Blocks")) / loops.GetDouble();
            var removed = Of("Rows Removed by Filter") + Of("Rows Removed by Index Recheck");
            var cond = node.TryGetProperty("Index Cond", out var c) ? c.GetString() : "";
            yield return (
                $"{node.GetProperty("Node Type").GetString()} of {table.GetString()} "
                    + $"{(node.TryGetProperty("Index Name", out var i) ? i.GetString() : "")}: {blocks:0} blocks, {removed:0} rows "
                    + $"removed, {cond}", blocks, removed, loops.GetDouble());
        }

        if (node.TryGetProperty("Plans", out var children))
        {
            foreach (var child in children.EnumerateArray().SelectMany(Scans))
            {
                yield return child;
            }
        }
    }
}
