using Npgsql;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Isolation;

namespace Weir.Tests.Database;

/// <summary>
/// A database that gives everybody TEMP, as a Supabase project's does, and a session that may run DDL there. PostgreSQL looks in
/// <c>pg_temp</c> before all else unless a path names it: a temporary domain called <c>text</c>, whose check is the attacker's
/// function, is what a function's own variables are then made of, and that check runs with the rights of the function's owner.
/// </summary>
public sealed class TemporaryTypesTests(MigratedSupabase supabase) : IClassFixture<MigratedSupabase>
{
    /// <summary>What the attacker's function raises as soon as it runs as somebody else.</summary>
    private const string Climbed = "77777";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task M4_A07_no_published_function_runs_a_persons_temporary_types_or_views_with_its_owners_rights()
    {
        await using var pools =
            Databases.Open(new DatabaseConfig { Url = supabase.Project.GatewayUrl, EngineUrl = supabase.Project.EngineUrl });
        await using var superuser = supabase.Project.Superuser;
        var world = await RaceWorld.CreateAsync(superuser);

        await using var session = await HeldTransaction.BeginAsync(pools.Gateway, world.Olga);
        await ShadowAsync(session, superuser);
        var climbed = await ClimbAsync(session, [.. await CallsOfAsync(superuser, "authenticated", "public"),
            world.Expand("select public.create_agent({org}, 'x')"),
            world.Expand("select public.create_agent_key({agent}, 'x', 'olgasownkey00001', repeat('s', 43))"),
            world.Expand("select public.manage_mcp_servers('stop', {org}, null, {server})"),
            world.Expand("select public.grant_mcp_access({agent}, {server}, '{\"tools\": {\"*\": {}}}')"),
            world.Expand("select public.explain_mcp_access({agent}, {server}, 'echo', '{}')"),
            world.Expand("select public.get_organization_mcp_configs({org}, {agent})"),
            world.Expand("select public.set_member_role({org}, {adam}, 'member')"),
            "select count(*) from public.agents",
            "select count(*) from public.chat_messages"]);

        climbed.ShouldBeEmpty();
    }

    /// <summary>The engine's login decides for everybody already; what runs as the schema's owner is still above it.</summary>
    [Fact]
    public async Task M4_A07_nor_does_a_function_of_the_engines()
    {
        await using var pools =
            Databases.Open(new DatabaseConfig { Url = supabase.Project.GatewayUrl, EngineUrl = supabase.Project.EngineUrl });
        await using var superuser = supabase.Project.Superuser;
        var world = await RaceWorld.CreateAsync(superuser);

        await using var session = await HeldTransaction.BeginAsync(pools.Engine);
        await ShadowAsync(session, superuser);
        var climbed = await ClimbAsync(session, [.. await CallsOfAsync(superuser, "weir_engine", "weir"), world.AdmitSql]);

        climbed.ShouldBeEmpty();
    }

    /// <summary>Were the attack no attack, the two above would hold whatever the functions are.</summary>
    [Theory]
    [InlineData("alter function weir.explain_mcp_access set search_path = ''", "weir_system")]
    [InlineData("alter function weir.actor_id() set search_path = ''", "weir_system")]
    [InlineData("alter function weir.create_agent set search_path = ''", "weir_writer")]
    public async Task M4_A07_with_an_empty_path_the_same_session_is_the_functions_owner(string hole, string owner)
    {
        await using var pools =
            Databases.Open(new DatabaseConfig { Url = supabase.Project.GatewayUrl, EngineUrl = supabase.Project.EngineUrl });
        await using var superuser = supabase.Project.Superuser;
        var world = await RaceWorld.CreateAsync(superuser);
        await superuser.ExecuteAsync(hole, [], Token);
        try
        {
            await using var session = await HeldTransaction.BeginAsync(pools.Gateway, world.Olga);
            await ShadowAsync(session, superuser);

            var climbed = await ClimbAsync(
                session,
                [
                    "select count(*) from public.agents", world.Expand("select public.create_agent({org}, 'x')"),
                    world.Expand("select public.explain_mcp_access({agent}, {server}, 'echo', '{}')"),
                ]);

            climbed.ShouldContain(c => c.EndsWith(owner, StringComparison.Ordinal), string.Join('\n', climbed));
        }
        finally
        {
            await superuser.ExecuteAsync(hole.Replace("''", "pg_catalog, pg_temp", StringComparison.Ordinal), [], Token);
        }
    }

    /// <summary>The statements whose run reached the attacker's function.</summary>
    private static async Task<List<string>> ClimbAsync(HeldTransaction session, IReadOnlyCollection<string> statements)
    {
        var climbed = new List<string>();
        foreach (var statement in statements)
        {
            await session.RunAsync("savepoint s");
            try
            {
                await session.RunAsync(statement);
            }
            catch (PostgresException e) when (e.SqlState == Climbed)
            {
                climbed.Add($"{statement}: {e.MessageText}");
            }
            catch (PostgresException)
            {
                // Refused, as it may be: the arguments are null.
            }

            await session.RunAsync("rollback to s");
        }

        return climbed;
    }

    /// <summary>A domain over every type and a view over every one of PostgreSQL's own, each with its name.</summary>
    private static async Task ShadowAsync(HeldTransaction session, NpgsqlDataSource superuser)
    {
        await session.RunAsync($"""
            create function pg_temp.climb() returns boolean language plpgsql as $$
            begin
              if current_user not in ('authenticated', session_user) then
                raise exception using errcode = '{Climbed}', message = current_user;
              end if;
              return true;
            end $$
            """);
        var names = await superuser.QueryAsync("""
            select format('create domain pg_temp.%1$I as pg_catalog.%1$I check (pg_temp.climb())', t.typname)
            from pg_type t where t.typnamespace = 'pg_catalog'::regnamespace and t.typtype = 'b' and t.typelem = 0 and t.typname !~ '^(pg_|_)'
            union all
            select format('create temporary view %1$I as select * from pg_catalog.%1$I where pg_temp.climb()', c.relname)
            from pg_class c where c.relnamespace = 'pg_catalog'::regnamespace and c.relkind = 'v'
              and not exists (select from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = c.oid and t.typtype = 'p')
            """, [], row => row.GetString(0), Token);
        names.ShouldContain("create domain pg_temp.text as pg_catalog.text check (pg_temp.climb())");
        foreach (var statement in names)
        {
            await session.RunAsync(statement);
        }
    }

    private static async Task<IReadOnlyList<string>> CallsOfAsync(NpgsqlDataSource superuser, string role, string schema)
    {
        var calls = await superuser.QueryAsync("""
            select format('select %s(%s)', p.oid::regproc, (select string_agg('null', ', ') from generate_series(1, p.pronargs)))
            from pg_proc p
            where p.pronamespace = $2::regnamespace and p.prorettype <> 'trigger'::regtype and has_function_privilege($1, p.oid, 'EXECUTE')
            order by 1
            """, [Sql.Text(role), Sql.Text(schema)], row => row.GetString(0), Token);
        calls.Count.ShouldBeGreaterThan(20);
        return calls;
    }
}
