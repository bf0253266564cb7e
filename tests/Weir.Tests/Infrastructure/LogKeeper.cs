using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Infrastructure;

/// <summary>Keeps what a program under test logs with an exception, or as an error: what a request must never cause.</summary>
internal sealed class LogKeeper : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _failures = new();

    public IReadOnlyCollection<string> Failures => _failures;

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, _failures);

    public void Dispose()
    {
        // What was kept is still to be read.
    }

    private sealed class Logger(string category, ConcurrentQueue<string> failures) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Error || exception is not null)
            {
                failures.Enqueue($"{category} {logLevel}: {formatter(state, exception)}\n{exception}");
            }
        }
    }
}
