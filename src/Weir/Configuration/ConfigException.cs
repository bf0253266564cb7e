namespace Weir.Configuration;

/// <summary>The configuration is bad. The message names every error, one in each line.</summary>
internal sealed class ConfigException(IReadOnlyList<string> errors) : Exception(string.Join(Environment.NewLine, errors))
{
    public IReadOnlyList<string> Errors { get; } = errors;
}
