using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// Keeps what a program under test logs as a warning or worse; apart, what a request must never cause: an error, or an exception.
/// </summary>
internal sealed class LogKeeper : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _failures = new();
    private readonly ConcurrentQueue<string> _warnings = new();

    public IReadOnlyCollection<string> Failures => _failures;

    /// <summary>The texts of warnings and errors.</summary>
    public IReadOnlyCollection<string> Warnings => _warnings;

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, _failures, _warnings);

    public void Dispose()
    {
        // What was kept is still to be read.
    }

    private sealed class Logger(string category, ConcurrentQueue<string> failures, ConcurrentQueue<string> warnings) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Warning)
            {
                warnings.Enqueue(formatter(state, exception));
            }

            if (logLevel >= LogLevel.Error || exception is not null)
            {
                failures.Enqueue($"{category} {logLevel}: {formatter(state, exception)}\n{exception}");
            }
        }
    }
}
