using Microsoft.Extensions.Time.Testing;
using Weir.Errors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

/// <summary>What one person's failing statements may write into PostgreSQL's log.</summary>
public sealed class CallerErrorsTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task F08_a_person_whose_statements_fail_too_often_is_refused_until_the_minute_is_over_and_nobody_else_is()
    {
        var users = new UserSession(database.Pools.Gateway, new CallerErrors(3, _time));
        var (ann, bob) = (await World.CreateUserAsync(database), await World.CreateUserAsync(database));
        for (var i = 0; i < 3; i++)
        {
            (await FailAsync(users, ann)).Code.ShouldNotBe(ErrorCode.RateLimited);
        }

        var refused = await FailAsync(users, ann);
        refused.Code.ShouldBe(ErrorCode.RateLimited);
        refused.RetryAfter.ShouldBe(TimeSpan.FromMinutes(1));
        DatabaseErrors.SqlstateOf(refused).ShouldBeNull();
        (await Should.ThrowAsync<WeirException>(() => CountAsync(users, ann))).Code.ShouldBe(ErrorCode.RateLimited);
        (await CountAsync(users, bob)).ShouldBe(0);
        _time.Advance(TimeSpan.FromMinutes(1));
        (await CountAsync(users, ann)).ShouldBe(0);
    }

    [Fact]
    public async Task F08_what_a_person_cancels_counts_and_what_succeeds_does_not()
    {
        var users = new UserSession(database.Pools.Gateway, new CallerErrors(2, _time));
        var ann = await World.CreateUserAsync(database);
        for (var i = 0; i < 10; i++)
        {
            (await CountAsync(users, ann)).ShouldBe(0);
        }

        for (var i = 0; i < 2; i++)
        {
            using var gone = new CancellationTokenSource();
            await gone.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(
                () => users.QueryAsync(ann, "select 1", [], r => r.GetInt32(0), gone.Token));
        }

        (await Should.ThrowAsync<WeirException>(() => CountAsync(users, ann))).Code.ShouldBe(ErrorCode.RateLimited);
    }

    private static async Task<WeirException> FailAsync(UserSession users, Guid person) =>
        await Should.ThrowAsync<WeirException>(() => users.QueryAsync(person, "select 1 / 0", [], r => r.GetInt32(0), Cancelled));

    private static async Task<long> CountAsync(UserSession users, Guid person) =>
        (await users.QueryAsync(person, "select count(*) from public.organizations", [], r => r.GetInt64(0), Cancelled))[0];
}
