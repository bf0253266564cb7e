namespace Weir.Configuration;

/// <summary>What one agent or organization may take of a replica. Fairness, not permission: each replica counts its own.</summary>
internal sealed record LimitsConfig
{
    /// <summary>Most calls and streams that one agent has open; 0: as many as its organization. Calls.</summary>
    public int OpenPerAgent { get; init; }

    /// <summary>Most calls a second of one agent; twice as many at once; 0: no limit. Calls per second.</summary>
    public int CallsPerSecondPerAgent { get; init; } = 500;

    /// <summary>Most calls a second of one organization; twice as many at once; 0: no limit. Calls per second.</summary>
    public int CallsPerSecondPerOrganization { get; init; } = 2000;

    /// <summary>
    /// Most statements of one person that fail in PostgreSQL within a minute: each is lines in its log; 0: no limit. Statements.
    /// </summary>
    public int ErrorsPerMinute { get; init; } = 300;

    /// <summary>Most bytes of messages that one organization holds at once. MiB.</summary>
    public int HeldMegabytesPerOrganization { get; init; } = 256;

    /// <summary>
    /// Most bytes of messages that all organizations hold at once; 0: a quarter of the memory that the process may use. MiB.
    /// </summary>
    public int HeldMegabytes { get; init; }

    /// <summary>The same in bytes.</summary>
    /// <param name="availableBytes">What the process may use.</param>
    public long HeldBytes(long availableBytes) => HeldMegabytes > 0 ? HeldMegabytes * 1024L * 1024 : availableBytes / 4;

    public static LimitsConfig Read(ConfigReader reader)
    {
        var defaults = new LimitsConfig();
        return new LimitsConfig
        {
            OpenPerAgent = reader.Integer("limits.openPerAgent", defaults.OpenPerAgent, 0, 100_000),
            CallsPerSecondPerAgent = reader.Integer("limits.callsPerSecondPerAgent", defaults.CallsPerSecondPerAgent, 0, 1_000_000),
            CallsPerSecondPerOrganization = reader.Integer(
                "limits.callsPerSecondPerOrganization", defaults.CallsPerSecondPerOrganization, 0, 1_000_000),
            ErrorsPerMinute = reader.Integer("limits.errorsPerMinute", defaults.ErrorsPerMinute, 0, 1_000_000),
            HeldMegabytesPerOrganization = reader.Integer(
                "limits.heldMegabytesPerOrganization", defaults.HeldMegabytesPerOrganization, 1, 65_536),
            HeldMegabytes = reader.Integer("limits.heldMegabytes", defaults.HeldMegabytes, 0, 1_048_576),
        };
    }
}
