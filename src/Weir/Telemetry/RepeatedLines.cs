using Microsoft.Extensions.Logging;

namespace Weir.Telemetry;

/// <summary>
/// Keeps callers from filling the log. Of equal lines within <see cref="Window"/> the first is written and the others are counted; of lines
/// that share a template but differ, <see cref="MaxPerTemplate"/> are written and the others are counted. At the end of the window one line
/// tells each count.
/// </summary>
internal sealed class RepeatedLines : ILoggerProvider, ISupportExternalScope
{
    public const int MaxPerTemplate = 100;
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    /// <summary>Distinct lines and templates that are remembered in one window; beyond them, lines are counted together.</summary>
    private const int MaxKept = 2000;
    private const int MaxSample = 300;

    private readonly ILoggerProvider _inner;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Category, LogLevel Level, int Hash, int Length), int> _equal = [];
    private Dictionary<(string Category, LogLevel Level, string Template), Count> _templates = [];

    /// <param name="inner">What writes lines. Its owner disposes of it, after this.</param>
    public RepeatedLines(ILoggerProvider inner, TimeProvider time)
    {
        _inner = inner;
        _timer = time.CreateTimer(_ => WriteCounts(), state: null, Window, Window);
    }

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName, _inner.CreateLogger(categoryName));

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) =>
        (_inner as ISupportExternalScope)?.SetScopeProvider(scopeProvider);

    public void Dispose()
    {
        _timer.Dispose();
        WriteCounts();
    }

    /// <summary>Whether a line is written; if not, it is counted.</summary>
    private bool Admit(ILogger logger, string category, LogLevel level, string template, string text)
    {
        lock (_lock)
        {
            var kind = (category, level, template);
            if (!_templates.TryGetValue(kind, out var count))
            {
                kind = _templates.Count < MaxKept ? kind : ("Weir.Telemetry", level, "");
                if (!_templates.TryGetValue(kind, out count))
                {
                    _templates.Add(kind, count = new Count(logger));
                }
            }

            var line = (category, level, text.GetHashCode(StringComparison.Ordinal), text.Length);
            var times = _equal.GetValueOrDefault(line);
            if (times == 0 && count.Written < MaxPerTemplate && _equal.Count < MaxKept)
            {
                _equal[line] = 1;
                count.Written++;
                return true;
            }

            count.Left++;
            count.Sample = text.Length <= MaxSample ? text : text[..MaxSample] + "…";
            return false;
        }
    }

    private void WriteCounts()
    {
        Dictionary<(string Category, LogLevel Level, string Template), Count> ended;
        lock (_lock)
        {
            (ended, _templates) = (_templates, []);
            _equal.Clear();
        }

        foreach (var (kind, count) in ended.Where(e => e.Value.Left > 0))
        {
            count.Logger.Log(
                kind.Level, "{Count} more lines like this within {Seconds} s: {Line}", count.Left, Window.TotalSeconds, count.Sample);
        }
    }

    private sealed class Count(ILogger logger)
    {
        public ILogger Logger => logger;

        public int Written { get; set; }

        public int Left { get; set; }

        public string Sample { get; set; } = "";
    }

    private sealed class Logger(RepeatedLines lines, string category, ILogger inner) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            var text = formatter(state, exception);
            // The template is the last of a message's values, where it has any.
            var template = state is IReadOnlyList<KeyValuePair<string, object?>> { Count: > 0 } values && values[^1].Value is string format
                ? format : text;
            if (lines.Admit(inner, category, logLevel, template, exception is null ? text : $"{text} {exception}"))
            {
                inner.Log(logLevel, eventId, state, exception, formatter);
            }
        }
    }
}
