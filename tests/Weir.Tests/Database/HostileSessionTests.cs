using Npgsql;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Database;

/// <summary>
/// The gateway's login in the hands of somebody who runs SQL on it, as <c>authenticated</c>, a stranger to the organization that
/// they are after. More than Weir promises to withstand; what PostgreSQL refuses such a session all the same is held here.
/// </summary>
public abstract class HostileSessionSuite(TestDatabase database) : IAsyncLifetime
{
    private protected const string Refused = "42501";
    private protected const string NotAllowed = "0A000";

    private const string OwnerOfAll = "(the owner)";

    private RaceWorld _world = null!;
    private Guid _stranger;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Roles => [
        "service_role", "weir_writer", "weir_system", "weir_engine", OwnerOfAll, "pg_read_all_data", "pg_execute_server_program",
    ];

    public static TheoryData<string> Making =>
    [
        "create function public.lower(text) returns text language sql as 'select $1'",
        "create table public.x ()",
        "create type public.uuid as (x int)",
        "create schema x",
        "create schema authorization authenticated",
        "create extension dblink",
        "create function weir.x() returns int language sql as 'select 1'",
        "create or replace function weir.my_organizations(p_role text default 'viewer') returns setof uuid language sql as 'select "
            + "null::uuid'",
        "alter function weir.my_organizations(text) owner to authenticated",
        "create policy p on public.agents to authenticated using (true)",
        "alter table public.agents disable row level security",
        "create rule r as on insert to public.agents do instead nothing",
        "create trigger t before insert on public.agents for each row execute function suppress_redundant_updates_trigger()",
        "create event trigger e on ddl_command_start execute function x()",
        "alter role authenticated bypassrls",
        "alter role weir_gateway superuser",
        "alter role weir_gateway set search_path = pg_temp",
        "alter role weir_system set row_security = off",
        "grant weir_system to authenticated",
        "create role x in role weir_system",
        "copy public.agents to program 'true'",
        "copy public.agents from program 'true'",
        "copy (select 1) to '/tmp/x'",
        "select pg_read_file('postgresql.conf')",
        "select pg_ls_dir('.')",
        "select lo_import('/etc/passwd')",
        "select rolpassword from pg_authid",
        "select * from pg_statistic",
        "select * from weir.settings",
        "select weir.lock_organization(null)",
        "lock table public.agents",
        "lock table public.agents in row share mode",
        "set session_replication_role = replica",
        "select set_config('session_replication_role', 'replica', false)",
        "load 'auto_explain'",
    ];

    public async ValueTask InitializeAsync()
    {
        _world = await RaceWorld.CreateAsync(database.Superuser);
        _stranger = await World.CreateUserAsync(database);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [MemberData(nameof(Roles))]
    public async Task A07_no_other_role_is_reached_from_a_session(string role)
    {
        role = role == OwnerOfAll ? database.Cluster.Owner : role;
        foreach (var isPerson in new[] { true, false })
        {
            (await StateAsync($"set role {role}", isPerson)).ShouldBe(Refused);
            (await StateAsync($"set local role {role}", isPerson)).ShouldBe(Refused);
            (await StateAsync($"select set_config('role', '{role}', true)", isPerson)).ShouldBe(Refused);
            (await StateAsync($"set session authorization {role}", isPerson)).ShouldBe(Refused);
            (await StateAsync($"select set_config('session_authorization', '{role}', true)", isPerson)).ShouldBe(Refused);
        }
    }

    [Theory]
    [InlineData("reset role")]
    [InlineData("set role none")]
    [InlineData("reset session authorization")]
    [InlineData("set session authorization default")]
    [InlineData("reset all")]
    [InlineData("set role anon")]
    public async Task A07_who_gives_the_person_up_is_less_than_before(string statement)
    {
        await using var session = await BeginAsync(_world.Olga);
        (await session.RunAsync("select count(*) from public.agents")).ShouldBe("1");
        await session.RunAsync(statement);

        // `reset all` keeps the role and takes the claims: nobody's rows. All others lose the role, and its privileges with it.
        var answer = await AnswerAsync(session, "select count(*) from public.agents");

        answer.ShouldBe(statement == "reset all" ? "0" : Refused);
    }

    [Theory]
    [MemberData(nameof(Making))]
    public async Task A07_a_session_makes_nothing_opens_nothing_and_reads_nothing_beside(string statement) =>
        (await StateAsync(statement, isPerson: true)).ShouldBeOneOf(Refused, NotAllowed);

    [Fact]
    public async Task A07_no_table_is_truncated_or_written()
    {
        var tables = await database.Superuser.QueryAsync(
            "select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p') and c.relnamespace in ('public'::regnamespace, "
                + "'weir'::regnamespace, 'auth'::regnamespace)",
            [],
            r => r.GetString(0),
            Token);
        tables.Count.ShouldBeGreaterThan(30);
        foreach (var table in tables)
        {
            (await StateAsync($"truncate {table} cascade", isPerson: true)).ShouldBe(Refused, table);
            (await StateAsync($"delete from {table}", isPerson: true)).ShouldBe(Refused, table);
            (await StateAsync($"insert into {table} default values", isPerson: true)).ShouldBe(Refused, table);
            (await StateAsync($"select 1 from {table} for update", isPerson: true)).ShouldBe(Refused, table);
        }
    }

    /// <summary>The path of the session is nobody's but its own: what runs with another's rights has its own.</summary>
    [Theory]
    [InlineData("set local search_path = pg_temp, weir, public")]
    [InlineData("set local search_path = ''")]
    [InlineData("set local search_path = nowhere")]
    [InlineData("set local row_security = off")]
    [InlineData("set local check_function_bodies = off")]
    [InlineData("set local transform_null_equals = on")]
    [InlineData("set local standard_conforming_strings = off")]
    [InlineData("set local plan_cache_mode = force_generic_plan")]
    public async Task A07_no_setting_shows_a_stranger_anything(string setting)
    {
        await using var session = await BeginAsync(_stranger);
        await session.RunAsync(setting);
        foreach (var table in new[] { "organizations", "organization_members", "agents", "mcp_server_instances", "agent_mcp_permissions" })
        {
            await session.RunAsync("savepoint s");
            // 42501: with row_security off PostgreSQL refuses what it would have to filter.
            (await AnswerAsync(session, $"select count(*) from public.{table}")).ShouldBeOneOf("0", Refused);
            await session.RunAsync("rollback to s");
        }

        (await AnswerAsync(session,
            _world.Expand("select public.manage_mcp_servers('stop', {org}, null, {server}) ->> 'error'"))).ShouldBeOneOf("WR004", Refused);
    }

    /// <summary>
    /// On a database that gives everybody TEMP, as a project of Supabase does. Temporary types are in <see cref="TemporaryTypesTests"/>.
    /// </summary>
    [Fact]
    public async Task A07_temporary_relations_functions_and_operators_change_nothing_where_they_can_be_made()
    {
        await database.Superuser.ExecuteAsync($"grant temporary on database {database.Name} to public", [], Token);
        try
        {
            await using var session = await BeginAsync(_stranger);
            foreach (var statement in new[]
            {
                "create temporary table organizations as select {org} as id, true as is_active, 100 as max_agents, 100 as max_workspaces",
                "create temporary table organization_members as select {org} as organization_id, auth.uid() as user_id, 'owner'::text as "
                    + "role, 'active'::text as status",
                "create temporary table agents as select {agent} as id, {org} as organization_id, auth.uid() as user_id, true as "
                    + "is_active, 'x'::text as name",
                "create temporary table mcp_server_instances as select {server} as id, {org} as organization_id, 'running'::text as status",
                "create function pg_temp.my_organizations(p_role text default 'viewer') returns setof uuid language sql as $$select "
                    + "{org}$$",
                "create function pg_temp.actor_id() returns uuid language sql as $$select {olga}$$",
                "create function pg_temp.uid() returns uuid language sql as $$select {olga}$$",
                "create function pg_temp.current_setting(text, boolean) returns text language sql as $$select 'x'$$",
                "create function pg_temp.yes(uuid, uuid) returns boolean language sql as $$select true$$",
                "create operator pg_temp.= (function = pg_temp.yes, leftarg = uuid, rightarg = uuid)",
                "grant all on all tables in schema pg_temp to public",
                "set local search_path = pg_temp, public",
            })
            {
                await session.RunAsync(_world.Expand(statement));
            }

            (await session.RunAsync(
                _world.Expand("select count(*) from public.organizations where id operator(pg_catalog.=) {org}"))).ShouldBe("0");
            foreach (var (call, refusal) in new[]
            {
                ("select public.manage_mcp_servers('stop', {org}, null, {server}) ->> 'error'", "WR004"),
                ("select public.create_agent({org}, 'x') ->> 'error'", "WR004"),
                ("""select public.grant_mcp_access({agent}, {server}, '{"tools": {"*": {}}}') ->> 'error'""", "WR004"),
                ("select public.create_agent_key({agent}, 'x', 'strangerskey0001', repeat('s', 43)) ->> 'error'", "WR004"),
                ("select public.leave_organization({org}) ->> 'error'", "WR004"),
            })
            {
                (await AnswerAsync(session, _world.Expand(call))).ShouldBe(refusal, call);
            }
        }
        finally
        {
            if (!database.Cluster.IsSupabase)
            {
                await database.Superuser.ExecuteAsync($"revoke temporary on database {database.Name} from public", [], Token);
            }
        }
    }

    private Task<HeldTransaction> BeginAsync(Guid person) => HeldTransaction.BeginAsync(database.Pools.Gateway, person);

    /// <summary>The SQLSTATE that a statement raises; its answer where it raises none.</summary>
    private protected async Task<string?> StateAsync(string statement, bool isPerson)
    {
        await using var session = await HeldTransaction.BeginAsync(database.Pools.Gateway, isPerson ? _stranger : null);
        return await AnswerAsync(session, statement);
    }

    private static async Task<string?> AnswerAsync(HeldTransaction session, string statement)
    {
        try
        {
            return await session.RunAsync(statement);
        }
        catch (PostgresException e)
        {
            return e.SqlState;
        }
    }
}

public sealed class HostileSessionTests(TestDatabase database) : HostileSessionSuite(database), IClassFixture<TestDatabase>
{
    /// <summary>A plain database gives nobody TEMP.</summary>
    public static TheoryData<string> MakingTemporary =>
    [
        "create temporary table organization_members (organization_id uuid, user_id uuid, role text, status text)",
        "create temporary view organizations as select 1",
        "create temporary sequence s",
        "create function pg_temp.actor_id() returns uuid language sql as 'select null::uuid'",
        "create type pg_temp.uuid as (x int)",
        "create domain pg_temp.text as pg_catalog.text",
        "create operator pg_temp.= (function = pg_catalog.int4lt, leftarg = uuid, rightarg = uuid)",
    ];

    [Theory]
    [MemberData(nameof(MakingTemporary))]
    public async Task A07_a_session_makes_nothing_temporary(string statement) =>
    (await StateAsync(statement, isPerson: true)).ShouldBeOneOf(Refused, NotAllowed);
}

/// <summary>The same on a database as a Supabase project's.</summary>
public sealed class HostileSessionOnSupabaseTests(SupabaseDatabase database)
    : HostileSessionSuite(database), IClassFixture<SupabaseDatabase>;
