namespace Weir.Configuration;

/// <summary>How outcomes are gathered for their record.</summary>
internal sealed record CompletionConfig
{
    /// <summary>At this many outcomes that wait for their record no further call is admitted. Outcomes.</summary>
    public int MaxWaiting { get; init; } = 10_000;

    public static CompletionConfig Read(ConfigReader reader) => new()
    {
        MaxWaiting = reader.Integer("completion.maxWaiting", new CompletionConfig().MaxWaiting, 1, 1_000_000),
    };
}
