using System.Text.RegularExpressions;
using Npgsql;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// The plans that PostgreSQL makes for what is asked often, in a world that is large enough for it to choose by cost: no tenant's table is
/// read as a whole.
/// </summary>
public sealed partial class PlanTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private const string Owner =
        "select set_config('role', 'authenticated', false), set_config('request.jwt.claims', json_build_object('role', 'authenticated', "
            + "'sub', bulk.id('user', 7))::text, false)";

    /// <summary>A record of one organization that is so long that no plan sorts it.</summary>
    private const string LongRecord = """
        begin;
        insert into public.mcp_interaction_logs (created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, agent_id, outcome)
        select now() - n * interval '1 millisecond', weir.uuid_v7(), 'completed', bulk.id('organization', 7), 'lifecycle', 'allowed', 1, 'agent', bulk.id('agent', 15), 'ok'
        from generate_series(1, 30000) n;
        analyze public.mcp_interaction_logs
        """;

    /// <summary>Tables of a few rows, which belong to no tenant.</summary>
    private static readonly HashSet<string> Small = [
        "installation", "settings", "mcp_server_catalog", "dtma_nodes", "instance_moves", "replicas", "platform_stop", "failure_codes",
    ];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Statements => new()
    {
        { "weir_engine", "select bulk.admit(1, 2000, 2, 2, true)" },
        { "weir_engine", "select bulk.admit(64, 2000, 2, 2, true)" },
        { "weir_engine", "select weir.admit(gen_random_uuid(), array[gen_random_uuid()], array[now()], array[null], array[null]::bytea[], "
            + "array[bulk.id('user', 7)], array[bulk.id('agent', 14)], array['tool_execution'], array[bulk.id('server', 14)], "
            + "array['tool_1'], array['{}'], array['1'], array[1], array[1::bigint], array[null]::bytea[], array['{}'], "
            + "array[null]::uuid[])" },
        { "weir_engine", "select weir.complete(gen_random_uuid(), array[gen_random_uuid()], array[now() - interval '14 days'], "
            + "array['ok'], array[null], array[1::bigint], array[1::bigint], array[null]::bytea[], array['{}'])" },
        { "weir_engine", "select weir.record_denials(gen_random_uuid(), array[gen_random_uuid()], array[now()], array[bulk.key_id(14)], "
            + "array[bulk.secret_hash(14)], array[null]::uuid[], array[null]::uuid[], array['error'], array['x'], "
            + "array['invalid_request'], array['1'], array[1::bigint], array[null]::bytea[])" },
        { "weir_engine", "select weir.authenticate_key(bulk.key_id(14), bulk.secret_hash(14))" },
        { "weir_engine", "select * from weir.agent_catalog(bulk.key_id(14), bulk.secret_hash(14), null, null, null)" },
        { "weir_engine", "select * from weir.find_tools(bulk.key_id(14), bulk.secret_hash(14), null, null, 'tool seven or tol_8', 10)" },
        { "weir_engine", "select * from weir.definitions(array[bulk.id('server', 14)], array['tool'], array['tool_1'], "
            + "array[sha256('tool_1')])" },
        { "weir_engine", "select * from weir.search_documents(bulk.id('user', 7), bulk.id('agent', 14), 'page 3', 10)" },
        { "weir_engine", "select * from weir.search_documents(bulk.id('user', 7), bulk.id('agent', 14), 'every handbook', 10)" },
        { "weir_engine", "select * from weir.search_documents(bulk.id('user', 7), bulk.id('agent', 14), 'a handbook of 3 kangaroos', 10)" },
        { "weir_engine", "select * from weir.passages(bulk.id('user', 7), bulk.id('agent', 14), array[bulk.id('chunk', 14)])" },
        { "weir_engine", "select * from weir.chunk_vectors(bulk.id('user', 7), bulk.id('agent', 14), bulk.id('datastore', 7), 'm', 0, 1)" },
        { "weir_engine", "select weir.chat_turn_settings(bulk.id('user', 7), bulk.id('agent', 14))" },
        { "weir_engine", "select * from weir.model_settings_for(bulk.id('user', 7), bulk.id('agent', 14))" },
        { "weir_engine", "select * from weir.begin_chat_turn(bulk.id('replica', 1), bulk.id('user', 7), bulk.id('agent', 14), "
            + "bulk.id('message', 7 * 20), '1 minute')" },
        { "weir_engine", "select * from weir.record_chat_answer(bulk.id('user', 7), bulk.id('agent', 14), bulk.id('channel', 7), "
            + "bulk.id('message', 7 * 20), 'hi', '[]', null, '[]', '{}')" },
        { Owner, "select chat_context(bulk.id('agent', 14), null, bulk.id('channel', 7))" },
        { Owner, "select post_chat_message(bulk.id('channel', 7), 'hello', 'once')" },
        { Owner, "select * from get_chat_messages_with_details(bulk.id('channel', 7))" },
        { Owner, "select * from get_organization_mcp_configs(bulk.id('organization', 7))" },
        { Owner, "select * from get_organization_mcp_configs(bulk.id('organization', 7), bulk.id('agent', 14))" },
        { Owner, "select validate_mcp_access(bulk.id('agent', 14), bulk.id('server', 14))" },
        { Owner, "select explain_mcp_access(bulk.id('agent', 14), bulk.id('server', 14), 'tool_1', '{}')" },
        { Owner, "select revoke_mcp_access(bulk.id('agent', 14), bulk.id('server', 14))" },
        { Owner, "select id from organizations" },
        { Owner, "select user_id from organization_members" },
        { Owner, "select id from agents" },
        { Owner, "select id from agent_api_keys" },
        { Owner, "select id from agent_mcp_permissions" },
        { Owner, "select id from mcp_server_instances" },
        { Owner, "select name from mcp_server_tools" },
        { Owner, "select id from workspaces" },
        { Owner, "select id from workspace_members" },
    };

    public async ValueTask InitializeAsync()
    {
        if (await database.Superuser.ScalarAsync<bool>("select to_regnamespace('bulk') is not null", [], Cancelled))
        {
            return;
        }

        await database.Superuser.ExecuteAsync(
            await File.ReadAllTextAsync(Repository.PathOf("db/testing/bulk.sql"), Cancelled), [], Cancelled);
        await database.Superuser.ExecuteAsync("select bulk.populate(2000, 2, 2, 5000); select bulk.add_texts(2000, 2, 20)", [], Cancelled);
        await database.Superuser.ExecuteAsync("analyze", [], Cancelled);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [MemberData(nameof(Statements))]
    public async Task No_tenants_table_is_read_as_a_whole(string actor, string statement)
    {
        var scans = await ScansAsync(actor == Owner ? Owner : $"set role {actor}", statement);
        scans.ShouldNotBeEmpty("the plans must be there to be read");
        scans.Where(s => s.StartsWith("Seq ", StringComparison.Ordinal) && !Small.Contains(s["Seq ".Length..])).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_plan_that_reads_a_whole_table_is_seen()
    {
        var scans = await ScansAsync("reset role", "select count(*) from public.agents where instructions = 'x'");
        scans.ShouldContain("Seq agents");
    }

    [Fact]
    public async Task Whose_rows_of_the_record_are_asked_for_is_told_from_its_index()
    {
        var plans = await PlansAsync(
            Owner,
            "select read_audit(bulk.id('organization', 7), jsonb_build_object('agent_id', bulk.id('agent', 14), 'mcp_server_instance_id', "
                + "bulk.id('server', 14)))");
        plans.ShouldContain(p => OfOneAgent().IsMatch(p));
    }

    [Theory]
    [InlineData("""{"tool": "tool_1", "reason": "no_grant"}""")]
    [InlineData("""{"merged": true, "outcome": "timeout"}""")]
    public async Task What_no_index_tells_of_the_record_is_read_in_its_order_and_never_sorted_as_a_whole(string filter)
    {
        var page = (await PlansAsync(Owner, $"select read_audit(bulk.id('organization', 7), '{filter}')", LongRecord)).Where(
            p => p.Contains("WindowAgg", StringComparison.Ordinal)).ShouldHaveSingleItem();
        page.ShouldContain("Index Scan Backward");
        page.ShouldNotContain("Seq Scan on mcp_interaction_logs");
        page.ShouldNotMatch(@"->\s+Sort ");
    }

    /// <summary>How each table is read by a statement and by all that its functions run: "Seq agents", "Index agents".</summary>
    private async Task<List<string>> ScansAsync(string become, string statement) =>
        [
            .. (await PlansAsync(become, statement)).SelectMany(p => Scan().Matches(p))
                .Select(m => $"{m.Groups["how"].Value} {m.Groups["table"].Value}").Distinct(),
        ];

    /// <param name="before">What is done first, and undone with the connection.</param>
    private async Task<List<string>> PlansAsync(string become, string statement, string? before = null)
    {
        var plans = new List<string>();
        await using var connection = await database.Superuser.OpenConnectionAsync(Cancelled);
        connection.Notice += (_, e) => plans.Add(e.Notice.MessageText);
        foreach (var sql in new[]
        {
            before ?? "select 1",
            "load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on; set plan_cache_mode "
                + "= force_generic_plan",
            become,
            "set client_min_messages = log",
            statement,
        })
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(Cancelled);
        }

        return plans;
    }

    [GeneratedRegex(@"Index Cond: \(\(organization_id = [^\n]*\(agent_id = [^\n]*\(instance_id = ", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex OfOneAgent();

    [GeneratedRegex(@"(?<how>Seq|Index|Bitmap Heap)( Only)? Scan( using \S+)? on (?<table>\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Scan();
}
