namespace Weir.Configuration;

/// <summary>How calls are gathered for the statement that decides them.</summary>
internal sealed record AdmissionConfig
{
    /// <summary>Most calls in one admission statement. Calls.</summary>
    public int MaxBatch { get; init; } = 64;

    /// <summary>A second connection opens when the oldest waiting call is this old. Milliseconds.</summary>
    public int SecondConnectionMilliseconds { get; init; } = 5;

    public static AdmissionConfig Read(ConfigReader reader)
    {
        var defaults = new AdmissionConfig();
        return new AdmissionConfig
        {
            MaxBatch = reader.Integer("admission.maxBatch", defaults.MaxBatch, 1, 1000),
            SecondConnectionMilliseconds = reader.Integer(
                "admission.secondConnectionMilliseconds", defaults.SecondConnectionMilliseconds, 0, 1000),
        };
    }
}
