namespace Weir.Configuration;

/// <summary>Bounds of one request to <c>/rest/v1</c>.</summary>
internal sealed record RestConfig
{
    /// <summary>Most rows of one answer, whatever the request asks for. Rows.</summary>
    public int MaxRows { get; init; } = 1000;

    /// <summary>How long the statement of one request may take. Seconds.</summary>
    public int TimeoutSeconds { get; init; } = 5;

    public static RestConfig Read(ConfigReader reader)
    {
        var defaults = new RestConfig();
        return new RestConfig
        {
            MaxRows = reader.Integer("rest.maxRows", defaults.MaxRows, 1, 100_000),
            TimeoutSeconds = reader.Integer("rest.timeoutSeconds", defaults.TimeoutSeconds, 1, 60),
        };
    }
}
