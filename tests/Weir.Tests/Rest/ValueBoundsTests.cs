using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using NpgsqlTypes;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Rest;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Rest;

/// <summary>
/// Values of a few kilobytes that would be gigabytes as text, and long texts and arrays, in every argument of every published function that
/// can hold one. The functions are those of the catalog. Each call is refused before the value costs anything, whoever calls.
/// </summary>
public abstract class ValueBoundsSuite(RestWorld weir) : IAsyncLifetime
{
    /// <summary>Bytes that a backend may need above what the value itself took. What is tried needs a hundred megabytes and more.</summary>
    private const long Memory = 64L * 1024 * 1024;

    /// <summary>
    /// 64 KiB that print as 920 MB; zeros with a scale, which print as 115 MB; and as many objects in each other as JSON may have.
    /// </summary>
    private static readonly string[] Json =
    [
        $$"""{"x": [{{Repeated("1e131000", 7000)}}]}""",
        $$"""{"x": [{{Repeated("0e-16383", 7000)}}]}""",
        $"[{Repeated("-1e131000", 7000)}]",
        string.Concat(Enumerable.Repeat("""{"x":""", 3000)) + "1" + new string('}', 3000),
    ];

    // The planner would make the value a constant and copy it, were it not for the call of random().
    private static readonly (string Type, string Sql)[] Long =
    [
        ("text", "(select repeat('x', 30000000 + (random() * 0)::integer))"),
        ("text[]", "(select array_fill('x'::text, array[1000000 + (random() * 0)::integer]))"),
    ];

    private readonly List<(string Name, Guid Id)> _people = [];
    private Guid _request;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var viewer = await World.CreateUserAsync(weir.Database);
        await weir.Database.Superuser.ExecuteAsync(
            "insert into public.organization_members (organization_id, user_id, role) values ($1, $2, 'viewer')",
            [Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(viewer)], Cancelled);
        _people.AddRange([("outsider", await World.CreateUserAsync(weir.Database)), ("viewer", viewer), ("owner", weir.World.OwnerId)]);
        _request = await weir.Database.Superuser.ScalarAsync<Guid>("select weir.uuid_v7()", [], Cancelled);
        await weir.Database.Superuser.ExecuteAsync(
            """
            insert into public.permission_requests (id, organization_id, agent_id, mcp_server_instance_id, permissions, requested_by)
            values ($1, $2, $3, $4, '{}', $5) on conflict (agent_id, mcp_server_instance_id) where status = 'open' do nothing
            """,
            [
                Sql.Uuid(_request), Sql.Uuid(weir.World.OrganizationId), Sql.Uuid(weir.World.AgentId), Sql.Uuid(weir.ServerId),
                Sql.Uuid(weir.World.OwnerId),
            ], Cancelled);
        _request =
            await weir.Database.Superuser.ScalarAsync<Guid>(
                "select id from public.permission_requests where agent_id = $1 and status = 'open'", [Sql.Uuid(weir.World.AgentId)],
                Cancelled);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task F02_as_plain_sql_every_published_function_refuses_a_huge_value_and_its_backend_needs_no_memory_for_it()
    {
        var problems = new List<string>();
        var tried = 0;
        // Read from the text once: that alone takes most of a second for each.
        await weir.Database.Superuser.ExecuteAsync(
            """
            create schema bombs; grant usage on schema bombs to public;
            create table bombs.bombs (i integer primary key, v jsonb not null); grant select on bombs.bombs to public
            """, [], Cancelled);
        await weir.Database.Superuser.ExecuteAsync(
            "insert into bombs.bombs select t.i - 1, t.v::jsonb from unnest($1) with ordinality t(v, i)",
            [Sql.Array(NpgsqlDbType.Text, Json)], Cancelled);
        foreach (var (person, id) in _people)
        {
            await using var session = await SessionOfAsync(id);
            foreach (var (_, value) in Long.Append(("jsonb", "(select sum(pg_column_size(v)) from bombs.bombs)")))
            {
                await session.ExecuteAsync($"select pg_column_size({value})");
            }

            var before = session.PeakMemory();
            foreach (var (function, argument) in await ArgumentsAsync())
            {
                foreach (var value in Long.Where(v => v.Type == argument.Type).Select(v => v.Sql)
                    .Concat(argument.IsJson ? Json.Select((_, i) => $"(select v from bombs.bombs where i = {i})") : []))
                {
                    tried++;
                    var answer = await session.ExecuteAsync(Call(function, argument, value));
                    var grown = session.PeakMemory() - before;
                    if (!answer.IsRefusal || grown > Memory)
                    {
                        problems.Add(
                            $"{person}: {function.Name}({argument.Name} := {value[..40]}): {answer.Text}, {grown / 1024 / 1024} MiB more");
                        before += Math.Max(grown, 0);
                    }
                }
            }
        }

        tried.ShouldBeGreaterThan(200);
        problems.ShouldBeEmpty(string.Join('\n', problems));
    }

    [Fact]
    public async Task F02_over_http_every_published_function_refuses_a_huge_value()
    {
        var problems = new List<string>();
        foreach (var (person, id) in _people)
        {
            foreach (var (function, argument) in await ArgumentsAsync())
            {
                foreach (var value in argument.IsJson
                    ? Json : [argument.Type == "text" ? $"\"{new string('x', 1_000_000)}\"" : $"[{Repeated("\"x\"", 200_000)}]"])
                {
                    var body =
                        $"{{{string.Join(
                            ", ",
                            function.Arguments.Select(
                                a =>
                                    $"{JsonSerializer.Serialize(a.Name)}: "
                                        + $"{(a == argument ? value : JsonSerializer.Serialize(Good(a)))}"))}}}";
                    var reply = await weir.RpcAsync(function.Name, body, weir.TokenOf(id));
                    if ((int)reply.Status is < 400 or >= 500)
                    {
                        problems.Add($"{person}: {function.Name}({argument.Name} := {value[..40]}): {(int)reply.Status} {reply.Body}");
                    }
                }
            }
        }

        problems.ShouldBeEmpty(string.Join('\n', problems));
    }

    [Fact]
    public async Task F02_a_number_out_of_range_is_refused_in_a_body_in_an_argument_of_the_query_and_in_a_filter()
    {
        (await weir.RpcAsync(
            "grant_mcp_access", """{"agent_id": null, "mcp_server_instance_id": null, "permissions": {"x": [1e401]}}""")).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST102");
        (await weir.RpcAsync("grant_mcp_access",
            """{"agent_id": null, "mcp_server_instance_id": null, "permissions": {"x": [1e400]}}""")).Code.ShouldBe("WR004");
        (await weir.GetAsync(
            $"rpc/explain_mcp_access?agent_id={weir.World.AgentId}&mcp_server_instance_id={weir.ServerId}&arguments={{\"x\":0e-401}}")).ShouldBeError(HttpStatusCode.BadRequest, "PGRST102");
        (await weir.GetAsync("agent_mcp_permissions?select=id&permissions=cs.{\"x\":1e131000}")).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST100");
        (await weir.GetAsync("agent_mcp_permissions?select=id&permissions=cs.{\"x\":1}")).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task F02_a_text_that_is_selected_as_jsonb_stays_what_was_written()
    {
        await weir.World.CallAsync(
            "select public.post_chat_message($1, $2)", Sql.Uuid(weir.World.ChannelId), Sql.Text($"[{Repeated("1e131000", 7000)}]"));

        var reply = await weir.GetAsync("chat_messages?select=content::jsonb&content=like.[1e131000*&order=id.desc&limit=1");

        reply.Status.ShouldBe(HttpStatusCode.OK, reply.Body[..Math.Min(reply.Body.Length, 200)]);
        reply.Body.Length.ShouldBeLessThan(70_000);
    }

    [Fact]
    public async Task F10_the_catalog_has_no_env_args_package_or_bin()
    {
        await weir.Database.Owner.ExecuteAsync("""
            select weir.publish_catalog_server('{"slug": "with-a-token", "version": "1.0.0", "display_name": "With a token", "transport": "stdio", "package": "tok", "bin": "tok",
              "args": ["--token=hunter2"], "env": {"TOKEN": "hunter2"}}')
            """, [], Cancelled);
        foreach (var column in new[] { "env", "args", "package", "bin" })
        {
            (await weir.GetAsync($"mcp_server_catalog?select=slug,{column}")).ShouldBeError(HttpStatusCode.BadRequest, "42703");
            (await weir.GetAsync($"mcp_server_catalog?{column}=not.is.null")).ShouldBeError(HttpStatusCode.BadRequest, "42703");
            (await weir.GetAsync($"mcp_server_catalog?order={column}")).ShouldBeError(HttpStatusCode.BadRequest, "42703");
        }

        var all = await weir.GetAsync("mcp_server_catalog?select=*&slug=eq.with-a-token");

        all.Body.ShouldNotContain("hunter2");
        all.Json[0].EnumerateObject().Select(p => p.Name).ShouldBe(
            [
                "id", "slug", "version", "name", "display_name", "description", "transport", "runtime", "capabilities", "docker_image",
                "configuration_schema", "default_share", "calls_at_once", "block_reason", "state", "created_at", "updated_at",
            ]);
    }

    private static string Repeated(string value, int times) => string.Join(',', Enumerable.Repeat(value, times));

    /// <summary>Every argument whose value has no size of its own.</summary>
    private async Task<(PublishedFunction Function, PublishedColumn Argument)[]> ArgumentsAsync()
    {
        var functions = (await weir.Services.GetRequiredService<RestQueries>().PublishedAsync(Cancelled)).AllFunctions;
        return [.. functions.SelectMany(f => f.Arguments.Where(a => a.IsJson || a.Type is "text" or "text[]").Select(a => (f, a)))];
    }

    private object? Good(PublishedColumn argument) => argument.Name == "request_id" ? _request : weir.Good(argument);

    private string Call(PublishedFunction function, PublishedColumn argument, string value) =>
        $"select {function.Name}({string.Join(
            ", ", function.Arguments.Select(a => $"\"{a.Name}\" => {(a == argument ? value : Literal(a))}"))})::text";

    private string Literal(PublishedColumn argument) => Good(argument) switch
    {
        null => "null",
        string text => $"'{text}'",
        Guid id => $"'{id}'",
        int number => number.ToString(CultureInfo.InvariantCulture),
        IEnumerable<string> texts => $"'{{{string.Join(',', texts)}}}'",
        var other => $"'{JsonSerializer.Serialize(other)}'",
    };

    private async Task<Session> SessionOfAsync(Guid userId)
    {
        var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(
                DatabaseUrl.Parse(weir.Database.GatewayUrl).ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Cancelled);
        await using var command = new NpgsqlCommand(
            "select set_config('role', 'authenticated', false), set_config('request.jwt.claims', $1, false), "
                + "set_config('statement_timeout', '20s', false)", connection)
        {
            Parameters =
            {
                new NpgsqlParameter { Value = $$"""{"role": "authenticated", "sub": "{{userId}}"}""", NpgsqlDbType = NpgsqlDbType.Text },
            },
        };
        await command.ExecuteNonQueryAsync(Cancelled);
        return new Session(connection);
    }

    private sealed class Session(NpgsqlConnection connection) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => connection.DisposeAsync();

        /// <summary>The most that the backend has ever had in memory.</summary>
        public long PeakMemory() => 1024 * long.Parse(
            File.ReadLines($"/proc/{connection.ProcessID}/status").Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);

        public async Task<(bool IsRefusal, string Text)> ExecuteAsync(string sql)
        {
            try
            {
                await using var command = new NpgsqlCommand(sql, connection);
                var answer = (await command.ExecuteScalarAsync(Cancelled))?.ToString() ?? "null";
                return (answer.StartsWith("""{"error": """, StringComparison.Ordinal), answer[..Math.Min(answer.Length, 200)]);
            }
            catch (PostgresException e)
            {
                // 54001: too deep for PostgreSQL itself.
                return (e.SqlState.StartsWith("WR", StringComparison.Ordinal) || e.SqlState == "54001", $"{e.SqlState} {e.MessageText}");
            }
        }
    }
}

public sealed class ValueBoundsTests(RestWorld weir) : ValueBoundsSuite(weir), IClassFixture<RestWorld>;

public sealed class ValueBoundsOnSupabaseTests(SupabaseRestWorld weir) : ValueBoundsSuite(weir), IClassFixture<SupabaseRestWorld>;
