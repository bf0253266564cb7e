using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Weir.Postgres;
using Weir.Rest;

namespace Weir.Tests.Rest;

/// <summary>What an attacker writes, in every place where a text can stand; and what they could learn from answers about others.</summary>
public abstract class RestHostileSuite(RestWorld weir)
{
    private static readonly string[] Injections =
    [
        "'", "''", "\"", "\";--", "');drop table agents;--", "1 or 1=1", "1) or (1=1", "$1", "$$", "\\", "/*", "*/", "--", ";",
        "x'||pg_sleep(2)||'", "name\") from weir.settings--",
        "pg_sleep(2)", "weir.settings", "public.agents", "information_schema.tables", "агенты", "ｎame", "name\u200b", "name ", " name",
        "NAME", "Name", "name\n", "ctid", "tableoid", "xmin",
    ];

    public static TheoryData<string> Texts => new(Injections);

    [Theory]
    [MemberData(nameof(Texts))]
    public async Task A_text_where_an_identifier_or_operator_stands_is_refused(string text)
    {
        var escaped = Uri.EscapeDataString(text);
        foreach (var path in new[]
        {
            escaped, $"agents?{escaped}=eq.1", $"agents?select={escaped}", $"agents?select=id::{escaped}", $"agents?order={escaped}",
            $"agents?order=id.{escaped}",
            $"agents?name={escaped}.1", $"agents?or=({escaped}.eq.1)", $"agents?or=(id.{escaped}.1)", $"agents?name=eq({escaped}).x",
            $"agents?name=is.{escaped}", $"agents?{escaped}=(id.eq.1)", $"rpc/{escaped}", $"rpc/create_organization?{escaped}=x",
            $"agents?select=name->{escaped}",
        })
        {
            if (text.Trim(' ') == "name" && NamesColumn(path, escaped))
            {
                // As with PostgREST, spaces around a column are no part of its name.
                continue;
            }

            var reply = await weir.GetAsync(path);
            ((int)reply.Status).ShouldBeInRange(400, 416, $"{path}: {reply.Body}");
            reply.Code!.ShouldBeOneOf(
                ["PGRST100", "PGRST103", "PGRST108", "PGRST125", "PGRST126", "PGRST127", "PGRST202", "PGRST205", "42703", "25006", "42883"],
                $"{path}: {reply.Body}");
        }
    }

    [Theory]
    [MemberData(nameof(Texts))]
    public async Task A_text_where_a_number_stands_is_no_number_and_changes_nothing(string text)
    {
        var escaped = Uri.EscapeDataString(text);
        (await weir.GetAsync($"agents?select=id&limit={escaped}&offset={escaped}")).Body.ShouldBe(
            (await weir.GetAsync("agents?select=id")).Body);
    }

    private static bool NamesColumn(string path, string text) =>
        path.StartsWith($"agents?{text}=eq", StringComparison.Ordinal) || path.Contains("select=" + text) || path.Contains("order=" + text)
            || path.Contains($"=({text}.");

    [Theory]
    [MemberData(nameof(Texts))]
    public async Task A_text_where_a_value_stands_is_that_text_and_nothing_else(string text)
    {
        var escaped = Uri.EscapeDataString(text);
        var quoted = Uri.EscapeDataString("\"" + text.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\"");
        foreach (var filter in new[] { $"name=eq.{escaped}", $"name=in.({quoted})", $"or=(name.eq.{quoted})", $"and=(name.in.({quoted}))" })
        {
            var reply = await weir.GetAsync("agents?select=name&" + filter);
            reply.Status.ShouldBe(HttpStatusCode.OK, $"{filter}: {reply.Body}");
            reply.Body.ShouldBe("[]");
        }

        var made = await weir.RpcAsync(
            "create_agent", JsonSerializer.Serialize(new { organization_id = weir.World.OrganizationId, name = "x" + text + "x" }));
        if (made.Status == HttpStatusCode.OK)
        {
            (await weir.GetAsync($"agents?select=name&name=eq.x{escaped}x")).Column("name").ShouldBe(["x" + text + "x"]);
        }
    }

    [Theory]
    [InlineData("select=a:id,\"b;c\":name")]
    [InlineData("select=\"b\\\"c\":id")]
    [InlineData("select=a\"b:id")]
    [InlineData("select=a)from(b:id")]
    [InlineData("select=%00:id")]
    public async Task An_alias_is_of_a_closed_alphabet(string query)
    {
        var reply = await weir.GetAsync("agents?" + query.Replace(" ", "%20").Replace("\"", "%22"));
        reply.Status.ShouldBe(HttpStatusCode.BadRequest, reply.Body);
    }

    [Theory]
    [InlineData("pg_class")]
    [InlineData("pg_authid")]
    [InlineData("pg_catalog.pg_authid")]
    [InlineData("settings")]
    [InlineData("weir.settings")]
    [InlineData("weir%2Esettings")]
    [InlineData("installation")]
    [InlineData("users")]
    [InlineData("auth.users")]
    [InlineData("mcp_interaction_logs")]
    [InlineData("weir_journal")]
    [InlineData("AGENTS")]
    public async Task A_table_that_is_not_published_is_not_there(string name) =>
    (await weir.GetAsync(name)).ShouldBeError(HttpStatusCode.NotFound, "PGRST205");

    [Fact]
    public async Task The_audit_logs_table_is_refused_with_the_name_of_the_function_that_reads_it()
    {
        var reply = await weir.GetAsync("mcp_interaction_logs?select=*");
        reply.ShouldBeError(HttpStatusCode.NotFound, "PGRST205");
        reply.Hint!.ShouldContain("read_audit");
    }

    [Theory]
    [InlineData("pg_sleep")]
    [InlineData("pg_read_file")]
    [InlineData("set_config")]
    [InlineData("current_setting")]
    [InlineData("lo_import")]
    [InlineData("admit")]
    [InlineData("weir.admit")]
    [InlineData("create_user")]
    [InlineData("find_login")]
    [InlineData("audit_mcp_interactions")]
    [InlineData("uid")]
    [InlineData("Create_Organization")]
    public async Task A_function_that_is_not_published_is_not_there(string name)
    {
        (await weir.RpcAsync(name, "{}")).ShouldBeError(HttpStatusCode.NotFound, "PGRST202");
        (await weir.RpcAsync(name, """{"seconds": 5}""")).ShouldBeError(HttpStatusCode.NotFound, "PGRST202");
    }

    [Theory]
    [InlineData("agent_api_keys?select=secret_hash")]
    [InlineData("agent_api_keys?secret_hash=not.is.null")]
    [InlineData("agent_api_keys?order=secret_hash")]
    [InlineData("agent_api_keys?or=(secret_hash.not.is.null)")]
    public async Task A_column_without_a_grant_is_told_from_none_by_nothing(string path)
    {
        var hidden = await weir.GetAsync(path);
        var none = await weir.GetAsync(path.Replace("secret_hash", "secret_hush"));

        hidden.ShouldBeError(HttpStatusCode.BadRequest, "42703");
        hidden.Body.Replace("secret_hash", "secret_hush").ShouldBe(none.Body);
    }

    [Theory]
    [InlineData("organizations?id=eq.{o}")]
    [InlineData("agents?name=eq.{s}")]
    [InlineData("agents?name=like.zebra*")]
    [InlineData("agents?organization_id=eq.{o}")]
    [InlineData("agents?or=(name.eq.{s},id.eq.{a})")]
    [InlineData("organization_members?organization_id=eq.{o}")]
    public async Task A01_another_tenants_rows_are_neither_read_nor_counted(string path)
    {
        path =
            path.Replace("{o}", $"{weir.OtherOrganizationId}").Replace("{a}", $"{weir.OtherAgentId}").Replace("{s}", RestWorld.OtherSecret);

        (await weir.GetAsync(path, weir.OtherToken)).Json.GetArrayLength().ShouldBeGreaterThan(0);
        foreach (var count in new[] { "exact", "planned", "estimated" })
        {
            var reply = await weir.GetAsync(path, null, ("Prefer", "count=" + count));
            reply.Body.ShouldBe("[]");
            reply.ContentRange.ShouldBe("*/0");
        }
    }

    [Fact]
    public async Task A01_every_table_and_function_answers_for_another_tenants_id_as_for_one_that_nobody_has()
    {
        var api = await weir.Services.GetRequiredService<RestQueries>().PublishedAsync(CancellationToken.None);
        var nobody = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        api.AllRelations.ShouldNotBeEmpty();
        foreach (var relation in api.AllRelations)
        {
            foreach (var column in relation.Columns.Where(c => c.Type == "uuid"))
            {
                foreach (var foreign in weir.OtherIds)
                {
                    var reply = await weir.GetAsync($"{relation.Name}?{column.Name}=eq.{foreign}", null, ("Prefer", "count=exact"));
                    (reply.Status, reply.Body, reply.ContentRange).ShouldBe(
                        (HttpStatusCode.OK, "[]", "*/0"), $"{relation.Name}.{column.Name}");
                }
            }
        }

        api.AllFunctions.ShouldNotBeEmpty();
        foreach (var function in api.AllFunctions)
        {
            // `after` is a place in a list of the caller's own, whoever has that id.
            foreach (var tried in function.Arguments.Where(a => a is { Type: "uuid", Name: not "after" }))
            {
                var none = await weir.RpcAsync(function.Name, Arguments(function, tried, nobody));
                if (tried.Name != "before")
                {
                    // Else the function would not have looked at the id; `before` is a place in a list, and nothing there.
                    (none.Status != HttpStatusCode.OK || none.Body is "false" or "[]").ShouldBeTrue(
                        $"{function.Name}({tried.Name}) of an id that nobody has: {none.Body}");
                }

                foreach (var id in weir.OtherIds)
                {
                    var foreign = await weir.RpcAsync(function.Name, Arguments(function, tried, id));
                    (foreign.Status, foreign.Body).ShouldBe((none.Status, none.Body), $"{function.Name}({tried.Name})");
                }
            }
        }

        foreach (var (function, keyId) in new[]
        {
            ("revoke_agent_key", weir.OtherAgentKeyId),
            ("revoke_organization_api_key", weir.OtherOrganizationKeyId),
        })
        {
            var foreign = await weir.RpcAsync(function, $$"""{"key_id": "{{keyId}}"}""");
            var none = await weir.RpcAsync(function, """{"key_id": "nobodyskey000001"}""");
            (foreign.Status, foreign.Body).ShouldBe((none.Status, none.Body), function);
        }
    }

    /// <summary>All of the caller's own, but one.</summary>
    private string Arguments(
        PublishedFunction function, PublishedColumn tried,
        Guid id) => JsonSerializer.Serialize(function.Arguments.ToDictionary(a => a.Name, a => (object?)(a switch
    {
        _ when a == tried => id,
        { Type: "uuid", Name: "organization_id" or "org_id" } => weir.World.OrganizationId,
        { Type: "uuid", Name: "agent_id" } => weir.World.AgentId,
        { Type: "uuid", Name: "workspace_id" } => weir.World.WorkspaceId,
        { Type: "uuid", Name: "channel_id" or "p_channel_id" } => weir.World.ChannelId,
        { Type: "uuid", Name: "mcp_server_instance_id" or "server_instance_id" or "server_id" } => weir.ServerId,
        { Type: "uuid", Name: "user_id" } => weir.World.OwnerId,
        { Type: "uuid" } => null,
        { Name: "action" } => "stop",
        { Name: "key_id" } => "abcdefghijklmnop",
        { Type: "text" } => new string('s', 43),
        { Type: "jsonb" } => new { tools = new { } },
        { Type: "integer" } => 1,
        { Type: "timestamp with time zone" } => null,
        _ => null,
    })));

    [Fact]
    public async Task A07_no_error_speaks_of_a_row_that_the_caller_does_not_see()
    {
        // A cast that fails on the other tenant's name, and would on every row: it meets only those that the policies let through.
        var cast = await weir.GetAsync("agents?select=name::int&name=like.zebra*");
        cast.Body.ShouldBe("[]");
        (await weir.GetAsync("agents?select=name::int", weir.OtherToken)).Body.ShouldNotContain(RestWorld.OtherSecret);
        // The same answer for another tenant's id and for one that nobody has.
        var foreign = await weir.RpcAsync("create_agent_key",
            $$"""{"agent_id": "{{weir.OtherAgentId}}", "name": "x", "key_id": "abcdefghijklmnop", "secret": "{{new string('s', 43)}}"}""");
        var nobody = await weir.RpcAsync("create_agent_key",
            $$"""{"agent_id": "{{Guid.Empty}}", "name": "x", "key_id": "abcdefghijklmnop", "secret": "{{new string('s', 43)}}"}""");
        (foreign.Status, foreign.Body).ShouldBe((nobody.Status, nobody.Body));
    }

    [Fact]
    public async Task A_statement_that_would_take_for_ever_is_cut_off_and_a_regular_expression_is_none_of_ours()
    {
        await using (var holder = await weir.Database.Superuser.OpenConnectionAsync())
        await using (var transaction = await holder.BeginTransactionAsync())
        {
            await using var hold = new Npgsql.NpgsqlCommand("lock table public.chat_messages in access exclusive mode", holder);
            await hold.ExecuteNonQueryAsync();
            (await weir.GetAsync("chat_messages?content=like.x")).ShouldBeError(HttpStatusCode.GatewayTimeout, "57014");
        }

        (await weir.GetAsync("chat_messages?content=like." + new string('a', 300))).ShouldBeError(HttpStatusCode.BadRequest, "PGRST100");
        (await weir.GetAsync("chat_messages?content=match.(.*)(.*)x")).ShouldBeError(HttpStatusCode.BadRequest, "PGRST100");
        (await weir.GetAsync("agents?select=name&limit=1")).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Many_statements_that_fail_between_many_that_do_not_disturb_nobody()
    {
        var replies = await Task.WhenAll(Enumerable.Range(0, 240).Select(i => (i % 4) switch
        {
            0 => weir.GetAsync($"organizations?select=a{i}:id"),
            1 => weir.GetAsync($"organizations?select=a{i}:id&id=eq.abc"),
            2 => weir.GetAsync($"organizations?select=a{i}:id&id=like.abc"),
            _ => weir.GetAsync($"organizations?select=a{i}:id", weir.OtherToken),
        }));

        for (var i = 0; i < replies.Length; i++)
        {
            replies[i].Body.ShouldContain(
                (i % 4) switch
                {
                    0 => $"[{{\"a{i}\":\"{weir.World.OrganizationId}\"}}]",
                    1 => "22P02",
                    2 => "42883",
                    _ => $"[{{\"a{i}\":\"{weir.OtherOrganizationId}\"}}]",
                });
        }
    }

    [Fact]
    public async Task A_query_may_only_be_so_large()
    {
        (await weir.GetAsync("agents?" + string.Join('&', Enumerable.Repeat("name=eq.x", 65)))).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST100");
        (await weir.GetAsync("agents?and=(" + string.Join(',', Enumerable.Repeat("name.eq.x", 65)) + ")")).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST100");
        (await weir.GetAsync("agents?name=in.(" + string.Join(',', Enumerable.Repeat("x", 1001)) + ")")).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST100");
        (await weir.GetAsync("agents?name=in.(" + string.Join(',', Enumerable.Repeat("x", 1000)) + ")")).Body.ShouldBe("[]");
        (await weir.GetAsync("agents?select=" + string.Join(',', Enumerable.Range(0, 101).Select(i => $"a{i}:id")))).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST100");
        (await weir.GetAsync("agents?order=" + string.Join(',', Enumerable.Repeat("id", 17)))).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST100");
        (await weir.GetAsync(
            "agents?and=" + string.Concat(Enumerable.Repeat("(and", 8)) + "(id.is.null" + new string(')', 9))).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST100");
        (await weir.GetAsync(
            "agents?and=" + string.Concat(Enumerable.Repeat("(and", 7)) + "(id.is.null" + new string(')', 8))).Body.ShouldBe("[]");
        (await weir.GetAsync("agents?select=id" + string.Concat(Enumerable.Repeat("->a", 9)))).ShouldBeError(
            HttpStatusCode.BadRequest, "PGRST100");
    }

    [Fact]
    public async Task A_null_byte_is_no_text()
    {
        (await weir.GetAsync("agents?name=eq.a%00b")).ShouldBeError(HttpStatusCode.BadRequest, "22021");
        (await weir.GetAsync("agents?or=(name.eq.a%00b)")).ShouldBeError(HttpStatusCode.BadRequest, "22021");
        (await weir.GetAsync("agents?name=in.(a%00b)")).ShouldBeError(HttpStatusCode.BadRequest, "22021");
        (await weir.GetAsync("agents%00")).Status.ShouldBe(HttpStatusCode.BadRequest);
        (await weir.GetAsync("agents?%00=eq.x")).Status.ShouldBe(HttpStatusCode.BadRequest);
        (await weir.GetAsync("agents?name=eq.%FF%FE")).Body.ShouldBe("[]");
    }
}

public sealed class RestHostileTests(RestWorld weir) : RestHostileSuite(weir), IClassFixture<RestWorld>;

/// <summary>The same on a database as a Supabase project's.</summary>
public sealed class RestHostileOnSupabaseTests(SupabaseRestWorld weir) : RestHostileSuite(weir), IClassFixture<SupabaseRestWorld>;
