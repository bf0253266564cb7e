namespace Weir.Configuration;

/// <summary>Bounds of one request to <c>/rest/v1</c>.</summary>
internal sealed record RestConfig
{
    /// <summary>Most rows of one answer, whatever the request asks for. Rows.</summary>
    public int MaxRows { get; init; } = 1000;

    /// <summary>How long the statement of one request may take. Seconds.</summary>
    public int TimeoutSeconds { get; init; } = 5;

    /// <summary>Largest answer; a larger one is refused while it is made. Bytes.</summary>
    public int MaxBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>
    /// Most statements that one person, the keys of one organization, or one address where nobody is signed in, runs at once on this
    /// replica; the next ones wait.
    /// </summary>
    public int MaxConcurrent { get; init; } = 3;

    public static RestConfig Read(ConfigReader reader)
    {
        var defaults = new RestConfig();
        return new RestConfig
        {
            MaxRows = reader.Integer("rest.maxRows", defaults.MaxRows, 1, 100_000),
            MaxBytes = reader.Integer("rest.maxBytes", defaults.MaxBytes, 1024, 256 * 1024 * 1024),
            MaxConcurrent = reader.Integer("rest.maxConcurrent", defaults.MaxConcurrent, 1, 200),
            TimeoutSeconds = reader.Integer("rest.timeoutSeconds", defaults.TimeoutSeconds, 1, 60),
        };
    }
}
