namespace Weir.Configuration;

/// <summary>What of the database is kept how long. The audit log is none of it.</summary>
internal sealed record MaintenanceConfig
{
    /// <summary>
    /// How many equal denials of one actor in one minute are rows of their own in the audit log; more are counted in one row.
    /// </summary>
    public int EqualDenials { get; init; } = 10;

    /// <summary>How long an idempotency key is known. Days.</summary>
    public int IdempotencyKeyDays { get; init; } = 30;

    /// <summary>How long it is known what a chat turn that was cut off has called. Days.</summary>
    public int ChatTurnDays { get; init; } = 30;

    /// <summary>How long counts of callers that no organization knows are kept. Days.</summary>
    public int SecurityEventDays { get; init; } = 90;

    public static MaintenanceConfig Read(ConfigReader reader)
    {
        var defaults = new MaintenanceConfig();
        return new MaintenanceConfig
        {
            EqualDenials = reader.Integer("maintenance.equalDenials", defaults.EqualDenials, 1, 1000),
            IdempotencyKeyDays = reader.Integer("maintenance.idempotencyKeyDays", defaults.IdempotencyKeyDays, 1, 3650),
            ChatTurnDays = reader.Integer("maintenance.chatTurnDays", defaults.ChatTurnDays, 1, 3650),
            SecurityEventDays = reader.Integer("maintenance.securityEventDays", defaults.SecurityEventDays, 1, 3650),
        };
    }
}
