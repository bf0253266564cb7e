using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Weir.Chat;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Chat;

/// <summary>A replica that lets everybody have one open turn, and that pages of one origin may call.</summary>
public sealed class NarrowChatWorld(TestCluster cluster) : RunningWeir(cluster)
{
    internal const string Origin = "https://app.example.com";

    private protected override WeirConfig Configure(WeirConfig config) => config with
    {
        Chat = new ChatConfig { MaxConcurrentPerPerson = 1, MaxConcurrentPerOrganization = 2, PerMinutePerPerson = 6 },
        Http = config.Http with { AllowedOrigins = [Origin] },
    };
}

/// <summary>Whoever asks for too much is refused before anything is saved, and takes nothing from others.</summary>
public sealed class ChatLimitTests(NarrowChatWorld weir) : IClassFixture<NarrowChatWorld>
{
    [Fact]
    public async Task S16_A33_a_turn_too_many_is_refused_with_a_time_before_anything_is_saved()
    {
        var (organization, channel, owner) = (weir.World.OrganizationId, weir.World.ChannelId, weir.World.OwnerId);
        var limits = weir.Services.GetRequiredService<TurnLimits>();
        using (limits.Enter(owner))
        {
            await RefusedAsync(owner, channel, "person");
        }

        using (var one = limits.Enter(organization))
        using (var two = limits.Enter(channel))
        {
            one.Enter(organization, agentId: null);
            two.Enter(organization, agentId: null);
            await RefusedAsync(owner, channel, "organization");
        }

        (await CountAsync()).ShouldBe(0);
        (await PostAsync(owner, channel)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await CountAsync()).ShouldBe(1);
    }

    [Fact]
    public async Task S16_who_begins_too_many_in_a_minute_is_told_when_to_come_again()
    {
        var stranger = await World.CreateAsync(weir.Database);
        for (var i = 0; i < 6; i++)
        {
            (await PostAsync(stranger.OwnerId, stranger.ChannelId)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }

        var refused = await PostAsync(stranger.OwnerId, stranger.ChannelId);

        refused.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        int.Parse(refused.Headers.GetValues("Retry-After").Single(), CultureInfo.InvariantCulture).ShouldBeInRange(2, 10);
    }

    [Fact]
    public async Task F11_an_organization_saves_so_many_messages_a_minute_at_all_replicas_together()
    {
        var stranger = await World.CreateAsync(weir.Database);
        await weir.Database.Superuser.ExecuteAsync(
            "update public.organizations set max_chat_messages_per_minute = 2 where id = $1", [Sql.Uuid(stranger.OrganizationId)],
            CancellationToken.None);
        (await PostAsync(stranger.OwnerId, stranger.ChannelId)).StatusCode.ShouldBe(HttpStatusCode.OK);
        // As another replica or a person over SQL would.
        await stranger.CallAsync("select public.post_chat_message($1, 'hello')", Sql.Uuid(stranger.ChannelId));

        var refused = await PostAsync(stranger.OwnerId, stranger.ChannelId);

        refused.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        (await refused.Content.ReadAsStringAsync()).ShouldContain("max_chat_messages_per_minute");
        int.Parse(refused.Headers.GetValues("Retry-After").Single(), CultureInfo.InvariantCulture).ShouldBeInRange(2, 30);
        (await weir.Database.Superuser.ScalarAsync<long>(
            "select count(*) from public.chat_messages where channel_id = $1", [Sql.Uuid(stranger.ChannelId)],
            CancellationToken.None)).ShouldBe(2);
    }

    [Fact]
    public async Task A_page_of_an_allowed_origin_may_call_and_no_other()
    {
        using var client = weir.Client();
        using var ask = new HttpRequestMessage(HttpMethod.Options, "/functions/v1/chat")
        {
            Headers =
            {
                { "Origin", NarrowChatWorld.Origin },
                { "Access-Control-Request-Method", "POST" },
                { "Access-Control-Request-Headers", "authorization,x-client-info,apikey,content-type" },
            },
        };
        var allowed = await client.SendAsync(ask);
        allowed.Headers.GetValues("Access-Control-Allow-Origin").ShouldBe([NarrowChatWorld.Origin]);

        using var foreign =
            new HttpRequestMessage(HttpMethod.Post, "/functions/v1/chat") { Headers = { { "Origin", "https://evil.test" } } };
        (await client.SendAsync(foreign)).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    private async Task RefusedAsync(Guid person, Guid channel, string whose)
    {
        var refused = await PostAsync(person, channel);
        refused.StatusCode.ShouldBe(HttpStatusCode.TooManyRequests);
        refused.Headers.Contains("Retry-After").ShouldBeTrue();
        var body = await refused.Content.ReadAsStringAsync();
        body.ShouldContain("WR008");
        body.ShouldContain(whose);
    }

    private async Task<HttpResponseMessage> PostAsync(Guid person, Guid channel)
    {
        var token = weir.Services.GetRequiredService<Weir.Identity.PersonTokens>().Issue(person, "someone@example.test");
        using var client = weir.Client(token);
        return await client.PostAsync("/functions/v1/chat",
            new StringContent($$"""{"agentId":null,"channelId":"{{channel}}","message":"hello"}""", Encoding.UTF8, "application/json"));
    }

    private Task<long> CountAsync() => weir.Database.Superuser.ScalarAsync<long>(
        "select count(*) from public.chat_messages where channel_id = $1", [Sql.Uuid(weir.World.ChannelId)], CancellationToken.None);
}
