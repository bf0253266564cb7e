using Microsoft.Extensions.Time.Testing;
using Weir.Postgres;
using Weir.Server.Health;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Http;

public sealed class ReadinessTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task F07_the_database_is_asked_whether_it_answers_once_a_second_however_many_want_to_know()
    {
        var time = new FakeTimeProvider();
        var readiness = new Readiness(database.Pools, time);
        using var left = new CancellationTokenSource();
        var first = readiness.ProblemAsync(left.Token);
        await left.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(first);
        (await readiness.ProblemAsync(default)).ShouldBeNull("who leaves ends nobody else's question");
        await database.Superuser.ExecuteAsync("alter function weir.change_version() rename to moved", [], default);

        (await readiness.ProblemAsync(default)).ShouldBeNull("within a second nothing is asked");
        time.Advance(Readiness.Kept);
        (await readiness.ProblemAsync(default)).ShouldNotBeNull();

        await database.Superuser.ExecuteAsync("alter function weir.moved() rename to change_version", [], default);
        (await readiness.ProblemAsync(default)).ShouldNotBeNull();
        time.Advance(Readiness.Kept);
        (await readiness.ProblemAsync(default)).ShouldBeNull();
    }
}
