using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.Time.Testing;
using Weir.Errors;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Identity;

/// <summary>A flood of sign-ins from one network address costs that address its sign-ins, and nobody else anything.</summary>
public sealed class SignInFloodTests(OpenWeir weir) : IClassFixture<OpenWeir>
{
    private const string Password = "a password for tests";

    [Fact]
    public async Task F07_a_flood_of_sign_ins_from_one_address_fails_neither_other_sign_ins_nor_what_agents_and_people_do()
    {
        var flooding = weir.NextAddress().ToString();
        var email = await NewLoginAsync();
        (await SignInAsync("nobody@example.test", flooding)).Status.ShouldBe(HttpStatusCode.BadRequest);
        var flood = new List<Task<(HttpStatusCode Status, TimeSpan? RetryAfter)>>();

        // What each attempt from there must lock is locked: whatever reaches the database waits, as in a flood.
        await using (var held = await HeldTransaction.BeginAsync(weir.Database.Superuser))
        {
            await held.RunAsync(
                "select 1 from weir.sign_in_attempts a where a.kind = 'address' and a.subject = sha256(convert_to($1, 'UTF8')) for update",
                Sql.Text(flooding));
            flood.AddRange(Enumerable.Range(0, 200).Select(i => SignInAsync($"guess-{i}@example.test", flooding)));
            await Until.AsyncTrue(async () => await WaitingAsync() > 0, "the flood has reached the database");
            await Until.AsyncTrue(
                () =>
                    Task.FromResult(
                        flood.Count(f => f.IsCompleted) >= 200 - UnverifiedCallers.PerAddress - UnverifiedCallers.WaitingSignIns),
                        "the flood is refused");

            (await WaitingAsync()).ShouldBeLessThanOrEqualTo(UnverifiedCallers.PerAddress);
            (await SignInAsync(email, weir.NextAddress().ToString())).Status.ShouldBe(HttpStatusCode.OK);
            (await new RawClient(weir.Client(weir.World.AgentKey)).ModernAsync("tools/list")).Status.ShouldBe(HttpStatusCode.OK);
        }

        var answers = await Task.WhenAll(flood);
        answers.ShouldAllBe(
            a =>
                a.Status == HttpStatusCode.BadRequest || a.Status == HttpStatusCode.TooManyRequests
                    || a.Status == HttpStatusCode.ServiceUnavailable);
        answers.Count(a => a.Status == HttpStatusCode.TooManyRequests)
            .ShouldBeGreaterThanOrEqualTo(200 - UnverifiedCallers.PerAddress - UnverifiedCallers.WaitingSignIns);
        answers.Where(a => a.Status == HttpStatusCode.TooManyRequests).ShouldAllBe(a => a.RetryAfter >= TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task F07_who_is_over_the_limit_is_refused_without_a_statement_until_the_window_ends()
    {
        var (over, elsewhere) = (weir.NextAddress(), weir.NextAddress());
        await weir.Database.Superuser.ExecuteAsync(
            "select weir.begin_sign_in('guess-' || i || '@example.test', $1::inet) from generate_series(1, 30) i",
            [Sql.Text(over.ToString())], CancellationToken.None);

        var first = await SignInAsync("guess@example.test", over.ToString());
        // The database would let it through now: it is not asked.
        await weir.Database.Superuser.ExecuteAsync(
            "delete from weir.sign_in_attempts a where a.kind = 'address' and a.subject = sha256(convert_to($1, 'UTF8'))",
            [Sql.Text(over.ToString())], CancellationToken.None);
        var second = await SignInAsync("another@example.test", over.ToString());

        first.Status.ShouldBe(HttpStatusCode.TooManyRequests);
        first.RetryAfter.ShouldNotBeNull().ShouldBeInRange(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        second.Status.ShouldBe(HttpStatusCode.TooManyRequests);
        (await SignInAsync("another@example.test", elsewhere.ToString())).Status.ShouldBe(HttpStatusCode.BadRequest);
    }

    [Fact]
    public void F07_a_refusal_is_kept_for_its_network_and_address_until_it_ends_and_no_longer()
    {
        var time = new FakeTimeProvider();
        var refusals = new SignInRefusals(time);
        refusals.Keep(IPAddress.Parse("2001:db8::1"), "", TimeSpan.FromSeconds(30));
        refusals.Keep(IPAddress.Parse("192.0.2.1"), "Ann@example.test", TimeSpan.FromSeconds(60));

        refusals.Find(IPAddress.Parse("2001:db8::ffff"), "bob@example.test").ShouldBe(TimeSpan.FromSeconds(30), "the same /64");
        refusals.Find(IPAddress.Parse("2001:db8:0:1::1"), "bob@example.test").ShouldBeNull();
        refusals.Find(IPAddress.Parse("192.0.2.1"), "ann@EXAMPLE.test").ShouldBe(TimeSpan.FromSeconds(60));
        refusals.Find(IPAddress.Parse("192.0.2.1"), "bob@example.test").ShouldBeNull();
        time.Advance(TimeSpan.FromSeconds(30));
        refusals.Find(IPAddress.Parse("2001:db8::1"), "").ShouldBeNull();
        refusals.Find(IPAddress.Parse("192.0.2.1"), "ann@example.test").ShouldBe(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task F07_one_address_has_few_places_and_all_together_have_a_bound()
    {
        var callers = new UnverifiedCallers(new FakeTimeProvider());
        var address = IPAddress.Parse("192.0.2.1");
        var running = new[] { await callers.EnterSignInAsync(address, default), await callers.EnterSignInAsync(address, default) };
        var waiting = Enumerable.Range(0, UnverifiedCallers.WaitingSignIns).Select(_ => callers.EnterSignInAsync(address, default).AsTask())
            .ToArray();

        (await Should.ThrowAsync<WeirException>(async () => await callers.EnterSignInAsync(address, default))).Code.ShouldBe(
            ErrorCode.RateLimited);
        waiting.ShouldAllBe(w => !w.IsCompleted);
        running[0].Dispose();
        running[0].Dispose();
        await waiting[0];
        waiting[1].IsCompleted.ShouldBeFalse();

        var others = new List<IDisposable>();
        var refused = await Should.ThrowAsync<WeirException>(async () =>
        {
            for (var i = 0; i <= UnverifiedCallers.Total; i++)
            {
                others.Add(await callers.EnterSignInAsync(new IPAddress([10, 9, (byte)(i >> 8), (byte)i]), default));
            }
        });
        refused.Code.ShouldBe(ErrorCode.Unavailable);
        others[0].Dispose();
        (await callers.EnterSignInAsync(IPAddress.Parse("192.0.2.9"), default)).Dispose();
    }

    [Fact]
    public async Task F07_one_site_with_many_networks_leaves_places_for_everybody_else()
    {
        var callers = new UnverifiedCallers(new FakeTimeProvider());
        for (var i = 0; i < UnverifiedCallers.PerSite; i++)
        {
            _ = callers.EnterSignInAsync(IPAddress.Parse($"2001:db8:0:{i % 64:x}::1"), default).AsTask();
        }

        (await Should.ThrowAsync<WeirException>(
            async () => await callers.EnterSignInAsync(IPAddress.Parse("2001:db8:0:ff::1"), default))).Code.ShouldBe(ErrorCode.RateLimited);
        (await callers.EnterSignInAsync(IPAddress.Parse("2001:db8:1::1"), default)).Dispose();
        UnverifiedCallers.PerSite.ShouldBeLessThan(UnverifiedCallers.Total / 2);
    }

    private Task<int> WaitingAsync() => weir.Database.Superuser.ScalarAsync<int>(
        "select count(*)::int from pg_stat_activity a where a.datname = current_database() and a.wait_event_type = 'Lock'", [],
        CancellationToken.None);

    private async Task<string> NewLoginAsync()
    {
        var email = $"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.test";
        await weir.Database.Owner.ScalarAsync<Guid>(
            "select weir.create_user($1, $2)", [Sql.Text(email), Sql.Text(Logins.Hash(Password))], CancellationToken.None);
        return email;
    }

    private async Task<(HttpStatusCode Status, TimeSpan? RetryAfter)> SignInAsync(string email, string address)
    {
        using var client = weir.Client();
        using var request = new HttpRequestMessage(
            HttpMethod.Post, "/auth/v1/token?grant_type=password") { Content = JsonContent.Create(new { email, password = Password }) };
        request.Headers.TryAddWithoutValidation("X-Forwarded-For", address);
        using var response = await client.SendAsync(request);
        return (response.StatusCode, response.Headers.RetryAfter?.Delta);
    }
}
