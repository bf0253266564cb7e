using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Identity;
using Weir.Postgres;
using Weir.Rest;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Rest;

/// <summary>
/// A replica with a small pool whose statements may take long, behind a proxy; its owner's channel has 12 MB of messages.
/// </summary>
public sealed class BoundedWeir(TestCluster cluster) : RunningWeir(cluster)
{
    internal static readonly RestConfig Rest = new() { MaxBytes = 1024 * 1024, MaxConcurrent = 2, TimeoutSeconds = 60 };

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Database.Superuser.ExecuteAsync(
            """
            insert into public.chat_messages (organization_id, workspace_id, channel_id, sender, user_id, content)
            select $1, $4, $2, 'user', $3, repeat('x', 60000) from generate_series(1, 200)
            """,
            [Sql.Uuid(World.OrganizationId), Sql.Uuid(World.ChannelId), Sql.Uuid(World.OwnerId), Sql.Uuid(World.WorkspaceId)],
            CancellationToken.None);
    }

    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Rest = Rest, Http = config.Http with { TrustedProxies = ["127.0.0.1"] } };
}

/// <summary>What one caller may cost: the bytes of an answer, and statements at once.</summary>
public sealed class RestBoundsTests(BoundedWeir weir) : IClassFixture<BoundedWeir>
{
    private const int Flood = 2 + RestLimits.Waiting + 4;

    private string Owner => weir.Services.GetRequiredService<PersonTokens>().Issue(weir.World.OwnerId, "owner@example.test");

    [Theory]
    [InlineData("chat_messages?select=a:content,b:content,c:content,d:content")]
    [InlineData("chat_messages?select=content&order=created_at.desc")]
    [InlineData("rpc/get_chat_messages_with_details?limit=100&select=content&p_channel_id={channel}")]
    public async Task A34_an_answer_that_would_be_larger_is_a_typed_error(string path)
    {
        var reply = await GetAsync(path.Replace("{channel}", $"{weir.World.ChannelId}"), Owner);

        reply.ShouldBeError(HttpStatusCode.RequestEntityTooLarge, "WR014");
        reply.Hint.ShouldBeNull("this Weir has no http.publicUrl, so the page that explains it has no address");
        (await GetAsync("chat_messages?select=content&limit=10", Owner)).Json.GetArrayLength().ShouldBe(10);
    }

    [Fact]
    public async Task A34_of_48_megabytes_the_database_sends_a_fraction()
    {
        using var wire = new CountingGate(weir.Database.Cluster.Postgres.Port);
        var url = DatabaseUrl.Parse(weir.Database.GatewayUrl);
        (url.Host, url.Port, url.SslMode) = ("127.0.0.1", wire.Port, Npgsql.SslMode.Disable);
        await using var pool = Npgsql.NpgsqlDataSource.Create(url.ConnectionString);
        var queries = new RestQueries(weir.Database.Pools, new UserSession(pool), BoundedWeir.Rest);
        var api = new RestApi(new PublishedApis(queries, TimeProvider.System), queries,
            RestLimits.ShareOf(BoundedWeir.Rest, TimeProvider.System), BoundedWeir.Rest);
        var call = new RestCall(
            weir.World.OwnerId, [KeyValuePair.Create("select", "a:content,b:content,c:content,d:content")], null,
            new RestFormat(RestShape.Array, false), Count: false, ReadOnly: true);

        (await Should.ThrowAsync<RestException>(() => api.ReadAsync("chat_messages", call, CancellationToken.None))).Code.ShouldBe("WR014");

        // What the sockets hold comes too.
        wire.Answered.ShouldBeInRange(BoundedWeir.Rest.MaxBytes, 24 * 1024 * 1024);
    }

    [Fact]
    public async Task A34_a_column_cannot_be_selected_a_hundred_times()
    {
        (await GetAsync("chat_messages?select=" + string.Join(',', Enumerable.Range(0, 100).Select(i => $"c{i}:content")),
            Owner)).ShouldBeError(HttpStatusCode.BadRequest, "PGRST100");
        (await GetAsync("chat_messages?limit=1&select=" + string.Join(',', Enumerable.Range(0, 5).Select(i => $"c{i}:tool_calls->a")),
            Owner)).ShouldBeError(HttpStatusCode.BadRequest, "PGRST100");
        (await GetAsync("chat_messages?limit=1&select=a:content,b:content,c:content,d:content", Owner)).Status.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A34_a_function_s_answer_that_would_be_larger_is_refused_and_what_it_recorded_stays()
    {
        await weir.Database.Superuser.ExecuteAsync(
            """
            insert into public.mcp_interaction_logs (created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, request_copy)
            select now(), gen_random_uuid(), 'requested', $1, 'chat', 'allowed', 1, 'system', repeat('x', 4096) from generate_series(1, 400)
            """,
            [Sql.Uuid(weir.World.OrganizationId)], CancellationToken.None);
        var (key, id, secret) = OrganizationKey.Create();
        await weir.World.CallAsync(
            "select public.create_organization_api_key($1, 'k', $2, $3, array['audit.read'])", Sql.Uuid(weir.World.OrganizationId),
            Sql.Text(id), Sql.Text(secret));

        foreach (var caller in new[] { Owner, key })
        {
            var before = await ReadingsAsync();
            var body = $$"""{"organization_id": "{{weir.World.OrganizationId}}", "limit": 1000}""";
            (await weir.SendAsync(HttpMethod.Post, "rpc/read_audit", body, caller)).ShouldBeError(
                HttpStatusCode.RequestEntityTooLarge, "WR014");
            (await ReadingsAsync()).ShouldBe(before + 1);
        }
    }

    private async Task<long> ReadingsAsync() => await weir.Database.Superuser.ScalarAsync<long>(
        "select count(*) from public.mcp_interaction_logs where kind = 'admin_read' and organization_id = $1",
        [Sql.Uuid(weir.World.OrganizationId)], CancellationToken.None);

    [Fact]
    public async Task A33_who_floods_waits_for_themselves_and_everybody_else_is_served()
    {
        var other = weir.Services.GetRequiredService<PersonTokens>()
            .Issue(await World.CreateUserAsync(weir.Database), "other@example.test");
        var (flood, served) = await FloodAsync(
            () => GetAsync("chat_messages?select=id&limit=1", Owner),
            () => GetAsync("chat_channels?select=id", other));

        served.Status.ShouldBe(HttpStatusCode.OK);
        flood.Count(r => r.Status == HttpStatusCode.OK).ShouldBe(Flood - 4);
    }

    [Fact]
    public async Task A33_nobody_without_a_token_reaches_the_database_however_many_they_send()
    {
        await using var holder = await HeldTransaction.BeginAsync(weir.Database.Superuser);
        await holder.RunAsync("lock table public.chat_messages in access exclusive mode");

        var answers = await Task.WhenAll(Enumerable.Range(0, Flood).Select(i =>
            GetAsync("chat_messages?select=id", "", ("X-Forwarded-For", $"198.51.100.{i}, 203.0.113.5"))));

        answers.ShouldAllBe(a => a.Status == HttpStatusCode.Unauthorized && a.Code == "42501");
    }

    [Fact]
    public async Task F07_what_an_organizations_keys_read_slowly_takes_its_own_share_and_no_connection_of_anybody_else()
    {
        var (mine, others) =
            (new[] { await KeyAsync(weir.World), await KeyAsync(weir.World) }, await KeyAsync(await World.CreateAsync(weir.Database)));
        Task<RestReply>[] flood;
        await using (var holder = await HeldTransaction.BeginAsync(weir.Database.Superuser))
        {
            await holder.RunAsync("lock table public.mcp_interaction_logs in access exclusive mode");
            // Keys that were never seen before, each time from another network.
            flood = [.. Enumerable.Range(0, 12).Select(i => ReadAsync("read_audit", mine[i % 2], $"198.51.100.{i}"))];
            await Until.AsyncTrue(async () => await LockedAsync("weir-key-reads") == BoundedWeir.Rest.MaxConcurrent,
                "as many wait as the organization may have");

            (await LockedAsync("weir-unverified")).ShouldBe(0);
            (await LockedAsync("weir-engine")).ShouldBe(0);
            (await ReadAsync("read_servers", others, "203.0.113.1")).Status.ShouldBe(HttpStatusCode.OK);
            (await LockedAsync("weir-key-reads")).ShouldBe(BoundedWeir.Rest.MaxConcurrent);
        }

        (await Task.WhenAll(flood)).ShouldAllBe(r => r.Status == HttpStatusCode.OK);
    }

    private Task<RestReply> ReadAsync(string function, string key, string address) =>
        weir.SendAsync(
            HttpMethod.Post, "rpc/" + function, function == "read_audit" ? """{"limit": 1}""" : "{}", key, ("X-Forwarded-For", address));

    private Task<int> LockedAsync(string pool) => weir.Database.Superuser.ScalarAsync<int>(
        "select count(*)::int from pg_stat_activity a where a.datname = current_database() and a.wait_event_type = 'Lock' and "
            + "a.application_name = $1",
        [Sql.Text(pool)], CancellationToken.None);

    private static async Task<string> KeyAsync(World world)
    {
        var (key, id, secret) = OrganizationKey.Create();
        await world.CallAsync(
            "select public.create_organization_api_key($1, 'k', $2, $3, array['audit.read', 'servers.read'])",
            Sql.Uuid(world.OrganizationId), Sql.Text(id), Sql.Text(secret));
        return key;
    }

    /// <summary>
    /// A table is locked, so that who reads it holds a connection; as many as run and wait do, and one who reads something else comes.
    /// </summary>
    private async Task<(RestReply[] Flood, RestReply Served)> FloodAsync(Func<Task<RestReply>> slow, Func<Task<RestReply>> other)
    {
        Task<RestReply>[] flood;
        RestReply served;
        await using (var holder = await HeldTransaction.BeginAsync(weir.Database.Superuser))
        {
            await holder.RunAsync("lock table public.chat_messages in access exclusive mode");
            flood = [.. Enumerable.Range(0, Flood).Select(_ => slow())];
            await Until.True(() => flood.Count(f => f.IsCompleted) == 4, "those beyond the line to be refused");
            foreach (var refused in flood.Where(f => f.IsCompleted))
            {
                (await refused).ShouldBeError(HttpStatusCode.TooManyRequests, "WR008");
                (await refused).Headers["Retry-After"].ShouldBe("1");
            }

            served = await other();
        }

        return (await Task.WhenAll(flood), served);
    }

    private Task<RestReply> GetAsync(string path, string token, params (string Name, string Value)[] headers) =>
        weir.SendAsync(HttpMethod.Get, path, null, token, headers);
}
