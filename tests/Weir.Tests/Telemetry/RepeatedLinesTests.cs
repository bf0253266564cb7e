using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Weir.Telemetry;

namespace Weir.Tests.Telemetry;

/// <summary>Lines that repeat are counted; nothing that a caller repeats fills the log.</summary>
public sealed class RepeatedLinesTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly Written _written = new();
    private readonly RepeatedLines _lines;
    private readonly ILogger _logger;

    public RepeatedLinesTests()
    {
        _lines = new RepeatedLines(_written, _time);
        _logger = _lines.CreateLogger("Weir.Tests");
    }

    public void Dispose() => _lines.Dispose();

    [Fact]
    public void F08_of_equal_lines_the_first_is_written_and_the_others_are_counted()
    {
        for (var i = 0; i < 1000; i++)
        {
            _logger.LogWarning(new InvalidOperationException("the same"), "A request failed: {Path}", "/mcp");
        }

        _written.Lines.ShouldBe(["A request failed: /mcp"]);
        _time.Advance(RepeatedLines.Window);
        _written.Lines.Count.ShouldBe(2);
        _written.Lines[1].ShouldStartWith("999 more lines like this within 10 s: A request failed: /mcp");
    }

    [Fact]
    public void F08_lines_that_differ_are_written_up_to_a_limit_for_each_template()
    {
        for (var i = 0; i < RepeatedLines.MaxPerTemplate + 50; i++)
        {
            _logger.LogWarning("A request failed: {Path}", $"/{i}");
        }

        _logger.LogError("Something else: {What}", "the disk");
        _written.Lines.Count.ShouldBe(RepeatedLines.MaxPerTemplate + 1);
        _written.Lines[^1].ShouldBe("Something else: the disk");
        _time.Advance(RepeatedLines.Window);
        _written.Lines[^1].ShouldStartWith("50 more lines like this");
    }

    [Fact]
    public void A_line_is_written_again_in_the_next_window_and_without_repeats_nothing_is_added()
    {
        _logger.LogInformation("Ready.");
        _time.Advance(RepeatedLines.Window);
        _logger.LogInformation("Ready.");
        _time.Advance(RepeatedLines.Window);

        _written.Lines.ShouldBe(["Ready.", "Ready."]);
    }

    [Fact]
    public void Levels_and_categories_are_told_apart_and_the_end_writes_the_counts()
    {
        _logger.LogWarning("Odd.");
        _logger.LogError("Odd.");
        _lines.CreateLogger("Weir.Other").LogWarning("Odd.");
        _logger.LogWarning("Odd.");
        _lines.Dispose();

        _written.Lines.ShouldBe(["Odd.", "Odd.", "Odd.", "1 more lines like this within 10 s: Odd."]);
    }

    private sealed class Written : ILoggerProvider, ILogger
    {
        public List<string> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Add(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
