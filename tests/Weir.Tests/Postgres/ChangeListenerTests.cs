using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

public sealed class ChangeListenerTests
{
    [Fact]
    public async Task It_stops_at_once_while_it_waits_to_try_again()
    {
        const string nobody = "postgresql://weir_engine:x@127.0.0.1:1/weir";
        await using var databases = Databases.Open(new DatabaseConfig { Url = nobody, EngineUrl = nobody });
        // Nobody moves it on.
        var time = new WaitedFor();
        using var listener = new ChangeListener(databases, time, NullLogger<ChangeListener>.Instance);
        await listener.StartAsync(TestContext.Current.CancellationToken);
        await Until.True(() => time.IsWaitedFor, "the listener waits");

        await listener.StopAsync(TestContext.Current.CancellationToken)
            .WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, TestContext.Current.CancellationToken);
    }

    private sealed class WaitedFor : FakeTimeProvider
    {
        private bool _isWaitedFor;

        public bool IsWaitedFor => Volatile.Read(ref _isWaitedFor);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Volatile.Write(ref _isWaitedFor, true);
            return base.CreateTimer(callback, state, dueTime, period);
        }
    }
}
