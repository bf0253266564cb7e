using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Weir.Errors;
using Weir.Gateway.Admission;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Gateway;

/// <summary>The service that ends what is switched off, with answers of the tests in place of the database's.</summary>
public sealed class SwitchesTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new();
    private readonly Switches _switches;
    private Func<int, Task<bool[]>> _answer = count => Task.FromResult(new bool[count]);
    private int _asked;

    public SwitchesTests() => _switches = new Switches(
        (work, _) =>
        {
            Interlocked.Increment(ref _asked);
            return _answer(work.Count);
        },
        _time, NullLogger<Switches>.Instance);

    public async ValueTask InitializeAsync() => await _switches.StartAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _switches.StopAsync(CancellationToken.None);
        _switches.Dispose();
    }

    [Fact]
    public async Task What_is_switched_off_ends_and_the_other_work_goes_on()
    {
        using var off = Register();
        using var on = Register();
        _answer = count => Task.FromResult(Enumerable.Range(0, count).Select(i => i == 0).ToArray());
        _switches.Announce(organizationId: null);

        await Until.True(() => off.IsOff || on.IsOff, "one of them ends");
        (off.IsOff && on.IsOff).ShouldBeFalse();
    }

    public static TheoryData<string> Failures => ["database", "timeout", "unforeseen", "too short", "too long"];

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task After_an_answer_that_is_none_it_asks_again_about_all_of_them(string failure)
    {
        using var first = Register();
        using var second = Register();
        _answer = count => failure switch
        {
            "database" => throw new WeirException(ErrorCode.Unavailable, "The database is away."),
            "timeout" => throw new OperationCanceledException(),
            "unforeseen" => throw new InvalidOperationException(),
            "too short" => Task.FromResult(new[] { false }),
            _ => Task.FromResult(new bool[count + 1]),
        };
        _switches.Announce(organizationId: null);
        await Until.True(() => Volatile.Read(ref _asked) > 0, "it asks");

        _answer = count => Task.FromResult(Enumerable.Repeat(true, count).ToArray());
        await EndedAsync(first, second);
    }

    [Fact]
    public async Task Work_that_fails_while_it_is_ended_ends_neither_the_service_nor_other_work()
    {
        using var failing = Register();
        using var other = Register();
        using var registration = failing.Off.Register(() => throw new InvalidOperationException("It cannot be ended."));
        _answer = count => Task.FromResult(Enumerable.Repeat(true, count).ToArray());
        _switches.Announce(organizationId: null);
        await EndedAsync(failing, other);

        using var later = Register();
        _switches.Announce(organizationId: null);
        await EndedAsync(later);
        _switches.ExecuteTask!.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public void Work_that_is_over_is_not_kept()
    {
        Register().Dispose();
        _switches.Count.ShouldBe(0);
    }

    private SwitchedWork Register() => _switches.Register(Guid.NewGuidForTests(), Guid.NewGuidForTests(), instanceId: null);

    private Task EndedAsync(params SwitchedWork[] works) => Until.True(
        () =>
        {
            _time.Advance(TimeSpan.FromSeconds(2));
            return works.All(w => w.IsOff);
        },
        "all of it ends");
}
